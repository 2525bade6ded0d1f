; The Windows installer of hammer2, built by Pack.proj with makensis on Windows or Linux.
;
; Defines: PAYLOAD (published program), OUTPUT, VERSION, RUNTIME, FILES (generated list of what the uninstaller removes),
; SOURCE (this folder), STUB (x86-unicode, or amd64-unicode where makensis has it), COMPRESSION; WITH_POWERSHELL when the
; payload has PowerShell/Hammer2.
;
; Silent: setup.exe /S [/NOPATH] [/NOEXPLORER] [/NOPOWERSHELL] [/SERVICE] [/D=C:\folder]   (/D= last, without quotes)
;         uninstall.exe /S
; Exit codes: 0 installed, 1 cancelled, 2 stopped by a problem that is shown (not shown when silent).
;
; What holds: files that are not ours are never removed; the uninstaller deletes its list, not the folder. Dokany is looked for,
; never installed or removed. The system PATH is changed by hammer2 itself, because strings of NSIS end after 1023 characters
; and paths do not.

Unicode true
Target ${STUB}
SetCompressor ${COMPRESSION}
ManifestDPIAware true
RequestExecutionLevel admin

!include MUI2.nsh
!include x64.nsh
!include FileFunc.nsh
!include LogicLib.nsh
!include WinMessages.nsh

!define PRODUCT "HAMMER2 for Windows"
!define UNINSTALL_KEY "Software\Microsoft\Windows\CurrentVersion\Uninstall\Hammer2"
!define CLASS "Hammer2.Image"
!define DOKANY "https://github.com/dokan-dev/dokany/releases"

Name "${PRODUCT} ${VERSION}"
OutFile "${OUTPUT}"
InstallDir "$PROGRAMFILES64\Hammer2"
BrandingText "${PRODUCT} ${VERSION} (${RUNTIME})"
VIProductVersion "${VERSION}.0"
VIAddVersionKey ProductName "${PRODUCT}"
VIAddVersionKey ProductVersion "${VERSION}"
VIAddVersionKey FileVersion "${VERSION}"
VIAddVersionKey FileDescription "${PRODUCT} setup"
VIAddVersionKey LegalCopyright "The Hammer2 for Windows authors"

!define MUI_ICON "${SOURCE}/icon/hammer2.ico"
!define MUI_UNICON "${SOURCE}/icon/hammer2.ico"
!define MUI_FINISHPAGE_NOAUTOCLOSE
!define MUI_FINISHPAGE_TEXT "Open a new terminal and try: hammer2 demo"
!insertmacro MUI_PAGE_LICENSE "${SOURCE}/../LICENSE"
!insertmacro MUI_PAGE_COMPONENTS
!insertmacro MUI_PAGE_DIRECTORY
!insertmacro MUI_PAGE_INSTFILES
!insertmacro MUI_PAGE_FINISH
!insertmacro MUI_UNPAGE_CONFIRM
!insertmacro MUI_UNPAGE_INSTFILES
!insertmacro MUI_LANGUAGE English

Var HadService

!macro StopWith TEXT
  MessageBox MB_OK|MB_ICONSTOP "${TEXT}" /SD IDOK
  SetErrorLevel 2
  Quit
!macroend

; A running hammer2.exe cannot be replaced. Its mounts are the user's to end.
!macro RefuseWhileRunning
  ${If} ${FileExists} "$INSTDIR\hammer2.exe"
    ClearErrors
    FileOpen $0 "$INSTDIR\hammer2.exe" a
    ${If} ${Errors}
      !insertmacro StopWith "hammer2 is running from $INSTDIR. End its mounts first ('hammer2 mounts' lists them), then start this again."
    ${EndIf}
    FileClose $0
  ${EndIf}
!macroend

!macro TellShells
  System::Call 'shell32::SHChangeNotify(i 0x08000000, i 0, p 0, p 0)'
!macroend

!macro StopService
  ReadRegStr $0 HKLM "SYSTEM\CurrentControlSet\Services\Hammer2" "ImagePath"
  ${If} $0 != ""
    StrCpy $HadService 1
    nsExec::ExecToLog '"$INSTDIR\hammer2.exe" service uninstall'
    Pop $0
  ${EndIf}
!macroend

; The previous version goes first: files that the new one does not have would stay otherwise.
Function RemovePrevious
  ReadRegStr $1 HKLM "${UNINSTALL_KEY}" "InstallLocation"
  ${If} $1 == ""
  ${OrIfNot} ${FileExists} "$1\uninstall.exe"
    Return
  ${EndIf}
  DetailPrint "Removing the version in $1"
  CopyFiles /SILENT "$1\uninstall.exe" "$PLUGINSDIR\previous.exe"
  ExecWait '"$PLUGINSDIR\previous.exe" /S _?=$1' $0
  ${If} $0 != 0
    !insertmacro StopWith "The previous version in $1 could not be removed (code $0). End its mounts and try again."
  ${EndIf}
  Delete "$1\uninstall.exe"
  RMDir "$1"
FunctionEnd

Section "hammer2 (the program)" SecProgram
  SectionIn RO
  SetRegView 64
  !insertmacro RefuseWhileRunning
  !insertmacro StopService
  Call RemovePrevious
  SetOutPath "$INSTDIR"
  File /r /x PowerShell "${PAYLOAD}/*.*"
  File "${SOURCE}/icon/hammer2.ico"
  File "/oname=LICENSE.txt" "${SOURCE}/../LICENSE"
  WriteUninstaller "$INSTDIR\uninstall.exe"
  WriteRegStr HKLM "${UNINSTALL_KEY}" "DisplayName" "${PRODUCT}"
  WriteRegStr HKLM "${UNINSTALL_KEY}" "DisplayVersion" "${VERSION}"
  WriteRegStr HKLM "${UNINSTALL_KEY}" "DisplayIcon" "$INSTDIR\hammer2.ico"
  WriteRegStr HKLM "${UNINSTALL_KEY}" "Publisher" "The Hammer2 for Windows authors"
  WriteRegStr HKLM "${UNINSTALL_KEY}" "InstallLocation" "$INSTDIR"
  WriteRegStr HKLM "${UNINSTALL_KEY}" "UninstallString" '"$INSTDIR\uninstall.exe"'
  WriteRegStr HKLM "${UNINSTALL_KEY}" "QuietUninstallString" '"$INSTDIR\uninstall.exe" /S'
  WriteRegDWORD HKLM "${UNINSTALL_KEY}" "NoModify" 1
  WriteRegDWORD HKLM "${UNINSTALL_KEY}" "NoRepair" 1
  ${GetSize} "$INSTDIR" "/S=0K" $0 $1 $2
  WriteRegDWORD HKLM "${UNINSTALL_KEY}" "EstimatedSize" $0
SectionEnd

Section "hammer2 on the PATH" SecPath
  nsExec::ExecToLog '"$INSTDIR\hammer2.exe" system-path add "$INSTDIR"'
  Pop $0
  ${If} $0 != 0
    DetailPrint "The PATH was not changed (code $0)."
  ${Else}
    WriteRegDWORD HKLM "${UNINSTALL_KEY}" "OnPath" 1
    SendMessage ${HWND_BROADCAST} ${WM_SETTINGCHANGE} 0 "STR:Environment" /TIMEOUT=5000
  ${EndIf}
SectionEnd

; An ending that another program owns stays with it; ours is then one of its "Open with" choices.
!macro Associate ENDING
  ReadRegStr $0 HKLM "Software\Classes\${ENDING}" ""
  ${If} $0 == ""
    WriteRegStr HKLM "Software\Classes\${ENDING}" "" "${CLASS}"
  ${EndIf}
  WriteRegStr HKLM "Software\Classes\${ENDING}\OpenWithProgids" "${CLASS}" ""
!macroend

!macro Dissociate ENDING
  ReadRegStr $0 HKLM "Software\Classes\${ENDING}" ""
  ${If} $0 == "${CLASS}"
    DeleteRegValue HKLM "Software\Classes\${ENDING}" ""
  ${EndIf}
  DeleteRegValue HKLM "Software\Classes\${ENDING}\OpenWithProgids" "${CLASS}"
  DeleteRegKey /ifempty HKLM "Software\Classes\${ENDING}\OpenWithProgids"
  ReadRegStr $0 HKLM "Software\Classes\${ENDING}" ""
  ${If} $0 == ""
    DeleteRegKey /ifempty HKLM "Software\Classes\${ENDING}"
  ${EndIf}
!macroend

; The window of a command that failed stays until a key is pressed, so that its message can be read.
!macro ExplorerVerb NAME TITLE COMMAND END
  WriteRegStr HKLM "Software\Classes\${CLASS}\shell\${NAME}" "" "${TITLE}"
  WriteRegStr HKLM "Software\Classes\${CLASS}\shell\${NAME}" "Icon" "$INSTDIR\hammer2.ico"
  WriteRegExpandStr HKLM "Software\Classes\${CLASS}\shell\${NAME}\command" "" '"%SystemRoot%\System32\cmd.exe" /d /s /v:off /c ""$INSTDIR\hammer2.exe" ${COMMAND} ${END} pause"'
!macroend

Section "Mount and verify in Explorer (.h2, .hammer2)" SecExplorer
  SetRegView 64
  WriteRegStr HKLM "Software\Classes\${CLASS}" "" "HAMMER2 volume"
  WriteRegStr HKLM "Software\Classes\${CLASS}\DefaultIcon" "" "$INSTDIR\hammer2.ico"
  WriteRegStr HKLM "Software\Classes\${CLASS}\shell" "" "mount"
  !insertmacro ExplorerVerb mount "Mount" 'mount --background -- "%1" *' "||"
  !insertmacro ExplorerVerb mount-read-only "Mount read-only" 'mount --background --read-only -- "%1" *' "||"
  !insertmacro ExplorerVerb verify "Verify" 'verify -- "%1"' "&"
  !insertmacro Associate ".h2"
  !insertmacro Associate ".hammer2"
  !insertmacro TellShells
SectionEnd

!ifdef WITH_POWERSHELL
Section "PowerShell module" SecPowerShell
  SetOutPath "$PROGRAMFILES64\PowerShell\Modules\Hammer2"
  File /r "${PAYLOAD}/PowerShell/Hammer2/*.*"
SectionEnd
!endif

Section /o "Service that mounts saved mounts when Windows starts" SecService
  nsExec::ExecToLog '"$INSTDIR\hammer2.exe" service install'
  Pop $0
  ${If} $0 != 0
    DetailPrint "The service was not installed (code $0)."
  ${EndIf}
SectionEnd

; Dokany shows the drives. An acceptable one is version 2, at least 2.3.1.
Section "-Dokany"
  ${DisableX64FSRedirection}
  ClearErrors
  GetDLLVersion "$SYSDIR\dokan2.dll" $0 $1
  ${If} ${Errors}
    StrCpy $2 "Dokany, which shows HAMMER2 volumes as drives, is not installed."
  ${Else}
    IntOp $2 $0 >> 16
    IntOp $3 $0 & 0xFFFF
    IntOp $4 $1 >> 16
    IntOp $4 $4 & 0xFFFF
    DetailPrint "Dokany $2.$3.$4 is installed."
    IntOp $5 $3 * 1000
    IntOp $5 $5 + $4
    ${If} $2 == 2
    ${AndIf} $5 >= 3001
      StrCpy $2 ""
    ${Else}
      StrCpy $2 "Dokany $2.$3.$4 is installed; mounting needs version 2, 2.3.1 or later."
    ${EndIf}
  ${EndIf}
  ${EnableX64FSRedirection}
  ${If} $2 != ""
    DetailPrint "$2 Get it from ${DOKANY}"
    MessageBox MB_YESNO|MB_ICONINFORMATION "$2$\r$\n$\r$\nGet it from ${DOKANY}. Everything but mounting works without it.$\r$\n$\r$\nOpen that page now?" /SD IDNO IDNO +2
    ExecShell open "${DOKANY}"
  ${EndIf}
SectionEnd

LangString DescProgram ${LANG_ENGLISH} "The command and what it needs. No .NET installation is necessary."
LangString DescPath ${LANG_ENGLISH} "hammer2 can be called from every terminal."
LangString DescExplorer ${LANG_ENGLISH} "Right-click an image to mount or verify it."
LangString DescService ${LANG_ENGLISH} "See 'hammer2 mount --save --system'."
!insertmacro MUI_FUNCTION_DESCRIPTION_BEGIN
  !insertmacro MUI_DESCRIPTION_TEXT ${SecProgram} $(DescProgram)
  !insertmacro MUI_DESCRIPTION_TEXT ${SecPath} $(DescPath)
  !insertmacro MUI_DESCRIPTION_TEXT ${SecExplorer} $(DescExplorer)
  !insertmacro MUI_DESCRIPTION_TEXT ${SecService} $(DescService)
!insertmacro MUI_FUNCTION_DESCRIPTION_END

!macro Unselect OPTION SECTION
  ClearErrors
  ${GetOptions} $0 "${OPTION}" $1
  ${IfNot} ${Errors}
    !insertmacro UnselectSection ${SECTION}
  ${EndIf}
!macroend

Function .onInit
  ${IfNot} ${RunningX64}
  ${AndIfNot} ${IsNativeARM64}
    !insertmacro StopWith "${PRODUCT} needs a 64-bit Windows."
  ${EndIf}
  SetRegView 64
  SetShellVarContext all
  ${GetParameters} $0
  !insertmacro Unselect "/NOPATH" ${SecPath}
  !insertmacro Unselect "/NOEXPLORER" ${SecExplorer}
!ifdef WITH_POWERSHELL
  !insertmacro Unselect "/NOPOWERSHELL" ${SecPowerShell}
!endif
  ReadRegStr $2 HKLM "SYSTEM\CurrentControlSet\Services\Hammer2" "ImagePath"
  ClearErrors
  ${GetOptions} $0 "/SERVICE" $1
  ${IfNot} ${Errors}
  ${OrIf} $2 != ""
    !insertmacro SelectSection ${SecService}
  ${EndIf}
FunctionEnd

Function un.onInit
  SetRegView 64
  SetShellVarContext all
FunctionEnd

; The lines of the generated list. Its names have slashes.
!macro RemoveAt FOLDER NAME COMMAND
  !searchreplace PLACE "${NAME}" "/" "\"
  ${COMMAND} "${FOLDER}\${PLACE}"
  !undef PLACE
!macroend
!macro RemoveFile NAME
  !insertmacro RemoveAt "$INSTDIR" "${NAME}" Delete
!macroend
!macro RemoveFolder NAME
  !insertmacro RemoveAt "$INSTDIR" "${NAME}" RMDir
!macroend
!macro RemoveModuleFile NAME
  !insertmacro RemoveAt "$PROGRAMFILES64\PowerShell\Modules\Hammer2" "${NAME}" Delete
!macroend

Section "Uninstall"
  !insertmacro StopService
  !insertmacro RefuseWhileRunning
  ReadRegDWORD $0 HKLM "${UNINSTALL_KEY}" "OnPath"
  ${If} $0 == 1
    nsExec::ExecToLog '"$INSTDIR\hammer2.exe" system-path remove "$INSTDIR"'
    Pop $0
    SendMessage ${HWND_BROADCAST} ${WM_SETTINGCHANGE} 0 "STR:Environment" /TIMEOUT=5000
  ${EndIf}
  !insertmacro Dissociate ".h2"
  !insertmacro Dissociate ".hammer2"
  DeleteRegKey HKLM "Software\Classes\${CLASS}"
  !insertmacro TellShells
  !include "${FILES}"
!ifdef WITH_POWERSHELL
  RMDir "$PROGRAMFILES64\PowerShell\Modules\Hammer2"
!endif
  Delete "$INSTDIR\hammer2.ico"
  Delete "$INSTDIR\LICENSE.txt"
  Delete "$INSTDIR\uninstall.exe"
  SetOutPath "$TEMP"
  RMDir "$INSTDIR"
  DeleteRegKey HKLM "${UNINSTALL_KEY}"
SectionEnd
