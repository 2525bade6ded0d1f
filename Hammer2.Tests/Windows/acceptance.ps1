<#
.SYNOPSIS
Tries every claim of docs/windows.md on a real Windows machine with Dokany.

.DESCRIPTION
Makes an image in a temporary directory, mounts it, runs the checks, unmounts, and lets fsck and verify judge the image.
Each check prints one line; the report at the end counts them. The exit code is the number of checks that failed.
Nothing outside the temporary directory and the drive letter is touched.

.PARAMETER Hammer2
The hammer2.exe to try.

.PARAMETER Drive
The drive letter to use, such as H: (default: the first free one from the end of the alphabet).

.PARAMETER Report
Where to write the report as JSON.

.EXAMPLE
.\acceptance.ps1 -Hammer2 C:\Tools\hammer2.exe -Drive H:
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory)] [string] $Hammer2,
    [string] $Drive,
    [string] $Report
)

Set-StrictMode -Version 3
$ErrorActionPreference = 'Stop'
$Hammer2 = (Resolve-Path $Hammer2).Path
if (-not $Drive) {
    $used = (Get-PSDrive -PSProvider FileSystem).Name
    $Drive = (90..68 | ForEach-Object { [string][char]$_ } | Where-Object { $_ -notin $used } | Select-Object -First 1) + ':'
}

$work = Join-Path ([IO.Path]::GetTempPath()) ("hammer2-acceptance-" + [Guid]::NewGuid().ToString('N'))
New-Item -ItemType Directory $work | Out-Null
$image = Join-Path $work 'test.h2'
$results = [Collections.Generic.List[object]]::new()
$mount = $null

function Invoke-Hammer2 {
    param([string[]] $Arguments, [int[]] $Expect = @(0))
    $output = & $Hammer2 @Arguments 2>&1 | Out-String
    if ($LASTEXITCODE -notin $Expect) { throw "hammer2 $($Arguments -join ' ') ended with $LASTEXITCODE`: $output" }
    $output
}

function Test-Claim {
    param([string] $Claim, [scriptblock] $Body)
    $watch = [Diagnostics.Stopwatch]::StartNew()
    try {
        $answer = & $Body
        if ($answer -is [bool] -and -not $answer) { throw 'the answer is no' }
        $results.Add([pscustomobject]@{ Claim = $Claim; Passed = $true; Seconds = $watch.Elapsed.TotalSeconds; Why = '' })
        Write-Host "ok    $Claim" -ForegroundColor Green
    }
    catch {
        $results.Add([pscustomobject]@{ Claim = $Claim; Passed = $false; Seconds = $watch.Elapsed.TotalSeconds; Why = "$_" })
        Write-Host "FAIL  $Claim`: $_" -ForegroundColor Red
    }
}

function Assert-Fails {
    param([scriptblock] $Body, [string] $What)
    try { & $Body } catch { return }
    throw "$What succeeded"
}

function Mount-Image {
    param([string[]] $Options = @())
    $script:mount = Start-Process $Hammer2 -ArgumentList (@('mount', "`"$image`"", $Drive) + $Options) -PassThru -NoNewWindow `
        -RedirectStandardOutput (Join-Path $work 'mount.out') -RedirectStandardError (Join-Path $work 'mount.err')
    foreach ($i in 1..100) {
        if (Test-Path "$Drive\") { return }
        if ($mount.HasExited) { throw "the mount ended: $(Get-Content (Join-Path $work 'mount.err') -Raw)" }
        Start-Sleep -Milliseconds 100
    }
    throw "nothing is mounted at $Drive after 10 seconds"
}

function Dismount-Image {
    if ($null -eq $mount -or $mount.HasExited) { return }
    Invoke-Hammer2 @('umount', $Drive) | Out-Null
    if (-not $mount.WaitForExit(30000)) { throw 'the mount did not end' }
}

try {
    Test-Claim 'newfs makes an image' { Invoke-Hammer2 @('newfs', $image, '--size', '2G', '-L', 'DATA') | Out-Null }
    Test-Claim 'it mounts at a letter' { Mount-Image }
    $root = "$Drive\"

    # Basics
    Test-Claim 'a file is written and read' {
        Set-Content "$root\a.txt" 'hello'; (Get-Content "$root\a.txt") -eq 'hello'
    }
    Test-Claim 'append' { Add-Content "$root\a.txt" 'more'; (Get-Content "$root\a.txt").Count -eq 2 }
    Test-Claim 'directories, listing, patterns' {
        New-Item -ItemType Directory "$root\d\e" -Force | Out-Null
        1..50 | ForEach-Object { Set-Content "$root\d\f$_.txt" $_ }
        (Get-ChildItem "$root\d\*.txt").Count -eq 50 -and (Get-ChildItem "$root\d\f1?.txt").Count -eq 10 -and (Test-Path "$root\D\F7.TXT")
    }
    Test-Claim 'rename, also of the case only' {
        Rename-Item "$root\a.txt" 'b.txt'; Rename-Item "$root\b.txt" 'B.txt'
        (Get-ChildItem "$root\b.txt").Name -ceq 'B.txt'
    }
    Test-Claim 'rename of a directory with an open file below is refused' {
        $stream = [IO.File]::OpenRead("$root\d\f1.txt")
        try { Assert-Fails { [IO.Directory]::Move("$root\d", "$root\moved") } 'the rename' } finally { $stream.Dispose() }
        [IO.Directory]::Move("$root\d", "$root\moved"); [IO.Directory]::Move("$root\moved", "$root\d")
    }
    Test-Claim 'replace keeps the creation time' {
        Set-Content "$root\old" 'old'; $born = [DateTime]'2001-02-03T04:05:06Z'; (Get-Item "$root\old").CreationTimeUtc = $born
        Set-Content "$root\new" 'new'; [IO.File]::Move("$root\new", "$root\old", $true)
        (Get-Content "$root\old") -eq 'new' -and (Get-Item "$root\old").CreationTimeUtc -eq $born.ToUniversalTime()
    }
    Test-Claim 'File.Replace with a backup' {
        Set-Content "$root\doc" 'one'; Set-Content "$root\tmp" 'two'; [IO.File]::Replace("$root\tmp", "$root\doc", "$root\bak")
        (Get-Content "$root\doc") -eq 'two' -and (Get-Content "$root\bak") -eq 'one' -and -not (Test-Path "$root\tmp")
    }
    Test-Claim 'a file deleted while open goes with its last handle' {
        $stream = [IO.File]::Open("$root\gone", 'Create', 'ReadWrite', 'ReadWrite, Delete')
        $stream.Write([byte[]](1, 2, 3), 0, 3); $stream.Flush()
        [IO.File]::Delete("$root\gone"); $stream.Position = 0
        $first = $stream.ReadByte(); $stream.Dispose()
        $first -eq 1 -and -not (Test-Path "$root\gone")
    }
    Test-Claim 'delete on close' {
        $stream = [IO.FileStream]::new("$root\temp", 'Create', 'ReadWrite', 'None', 4096, [IO.FileOptions]::DeleteOnClose)
        $there = Test-Path "$root\temp"; $stream.Dispose(); $there -and -not (Test-Path "$root\temp")
    }
    Test-Claim 'sharing modes' {
        $stream = [IO.File]::Open("$root\shared", 'Create', 'ReadWrite', 'Read')
        try { Assert-Fails { [IO.File]::OpenWrite("$root\shared").Dispose() } 'a second writer' } finally { $stream.Dispose() }
    }
    Test-Claim 'ReadOnly, Hidden, System, Archive' {
        $file = Get-Item "$root\B.txt"
        foreach ($attribute in 'ReadOnly', 'Hidden', 'System', 'Archive', 'Normal') {
            $file.Attributes = $attribute; $file.Refresh()
            if (($file.Attributes -band [IO.FileAttributes]$attribute) -eq 0) { throw "$attribute reads back as $($file.Attributes)" }
        }
        $file.Attributes = 'ReadOnly'
        Assert-Fails { [IO.File]::Delete("$root\B.txt") } 'deleting a ReadOnly file'
        $file.Attributes = 'Archive'
    }
    Test-Claim 'times to 100 ns while mounted' {
        $time = [DateTime]::new(638000000001234567, 'Utc'); $file = Get-Item "$root\B.txt"
        $file.LastWriteTimeUtc = $time; $file.Refresh(); $file.LastWriteTimeUtc -eq $time
    }
    Test-Claim 'sizes: grow, cut, holes' {
        $stream = [IO.File]::Open("$root\sized", 'Create')
        try { $stream.SetLength(100MB); $stream.Position = 50MB; $stream.WriteByte(7); $stream.SetLength(60MB) } finally { $stream.Dispose() }
        (Get-Item "$root\sized").Length -eq 60MB
    }
    Test-Claim 'memory-mapped writes' {
        $map = [IO.MemoryMappedFiles.MemoryMappedFile]::CreateFromFile("$root\mapped", 'Create', $null, 10000)
        $view = $map.CreateViewAccessor(); $view.Write(9999, [byte]42); $view.Flush(); $view.Dispose(); $map.Dispose()
        $bytes = [IO.File]::ReadAllBytes("$root\mapped"); $bytes.Length -eq 10000 -and $bytes[9999] -eq 42
    }
    Test-Claim 'a program runs from the drive' {
        Copy-Item "$env:SystemRoot\System32\where.exe" "$root\where.exe"; (& "$root\where.exe" where.exe | Out-String).Length -gt 0
    }
    Test-Claim 'a running program can be moved aside, but not deleted' {
        Copy-Item "$env:SystemRoot\System32\ping.exe" "$root\ping.exe"
        $running = Start-Process "$root\ping.exe" '-n 30 127.0.0.1' -PassThru -WindowStyle Hidden
        try {
            Assert-Fails { [IO.File]::Delete("$root\ping.exe") } 'deleting a running program'
            [IO.File]::Move("$root\ping.exe", "$root\ping.old"); Test-Path "$root\ping.old"
        }
        finally { Stop-Process $running -Force; $running.WaitForExit() }
    }
    Test-Claim 'free space and label' {
        $info = [IO.DriveInfo]::new($Drive)
        $info.TotalFreeSpace -gt 0 -and $info.TotalFreeSpace -le $info.TotalSize -and $info.VolumeLabel -like 'DATA*' -and $info.DriveFormat -eq 'NTFS'
    }
    Test-Claim 'a security descriptor with owner and list' { $acl = Get-Acl "$root\B.txt"; $acl.Owner -and $acl.Access.Count -gt 0 }

    # Programs
    Test-Claim 'robocopy /MIR there and back' {
        $source = Join-Path $work 'source'; $back = Join-Path $work 'back'
        New-Item -ItemType Directory "$source\x\y" -Force | Out-Null
        1..300 | ForEach-Object { [IO.File]::WriteAllBytes("$source\x\y\$_", [byte[]]::new($_ * 97)) }
        robocopy $source "$root\mirror" /MIR /NFL /NDL /NJH /NJS | Out-Null
        if ($LASTEXITCODE -ge 8) { throw "robocopy said $LASTEXITCODE" }
        robocopy $source "$root\mirror" /MIR /NFL /NDL /NJH /NJS /L | Out-Null
        if ($LASTEXITCODE -ne 0) { throw 'the second run wants to copy again' }
        robocopy "$root\mirror" $back /MIR /NFL /NDL /NJH /NJS | Out-Null
        if ($LASTEXITCODE -ge 8) { throw "robocopy back said $LASTEXITCODE" }
        -not (Compare-Object (Get-ChildItem $source -Recurse -File | Get-FileHash).Hash (Get-ChildItem $back -Recurse -File | Get-FileHash).Hash)
    }
    if (Get-Command git -ErrorAction SilentlyContinue) {
        Test-Claim 'git init, commit, gc, fsck' {
            Push-Location $root
            try {
                git init -q repo; Set-Location repo; Set-Content f 'x'; git add f
                git -c user.name=n -c user.email=e commit -qm first; git gc -q; git fsck 2>&1 | Out-Null
                if ($LASTEXITCODE -ne 0) { throw 'git fsck' }
            }
            finally { Pop-Location }
        }
    }
    Test-Claim 'the recycle bin takes a file' {
        Set-Content "$root\trash.txt" 'x'
        Add-Type -AssemblyName Microsoft.VisualBasic
        [Microsoft.VisualBasic.FileIO.FileSystem]::DeleteFile("$root\trash.txt", 'OnlyErrorDialogs', 'SendToRecycleBin')
        -not (Test-Path "$root\trash.txt")
    }
    Test-Claim 'a tree goes with one Remove-Item' { Remove-Item "$root\mirror" -Recurse -Force; -not (Test-Path "$root\mirror") }
    Test-Claim 'a long name of 255 characters' { Set-Content "\\?\$root$('n' * 255)" 'x'; Test-Path -LiteralPath "\\?\$root$('n' * 255)" }
    Test-Claim 'many threads' {
        1..64 | ForEach-Object -ThrottleLimit 16 -Parallel {
            $name = "$using:root\par$_"; Set-Content $name ("$_" * 1000)
            if ((Get-Content $name).Length -ne "$_".Length * 1000) { throw $name }
            Remove-Item $name
        }
    }

    Test-Claim 'programs that share a directory lose nothing' {
        New-Item -ItemType Directory "$root\shared dir" -Force | Out-Null
        1..8 | ForEach-Object -ThrottleLimit 8 -Parallel {
            foreach ($i in 1..100) {
                $name = "$using:root\shared dir\$_ $i"
                [IO.File]::WriteAllText("$name.tmp", "$_ $i"); [IO.File]::Move("$name.tmp", $name)
                if ($i % 2 -eq 0) { [IO.File]::Delete($name) }
                [IO.File]::WriteAllText("$name.new", "$_ $i"); [IO.File]::Move("$name.new", "$using:root\shared dir\$_ current", $true)
            }
        }
        (Get-ChildItem "$root\shared dir").Count -eq 8 * 51
    }
    Test-Claim 'a copy that does not fit fails and leaves nothing' {
        $free = [IO.DriveInfo]::new($Drive).TotalFreeSpace
        Assert-Fails { $stream = [IO.File]::Create("$root\huge"); try { $stream.SetLength($free + 100MB) } finally { $stream.Dispose(); [IO.File]::Delete("$root\huge") } } 'a size beyond the free space'
        -not (Test-Path "$root\huge")
    }

    # Life
    Test-Claim 'everything is there after a remount' {
        Dismount-Image; Mount-Image
        (Get-Content "$root\doc") -eq 'two' -and (Get-Item "$root\sized").Length -eq 60MB
    }
    Test-Claim 'a second mount of the image is refused and says who has it' {
        (Invoke-Hammer2 @('mount', $image, 'Y:') -Expect 3) -match 'in use|open'
    }
    Test-Claim 'a killed mount loses nothing that was flushed' {
        $stream = [IO.File]::Create("$root\flushed"); $stream.Write([byte[]]::new(100000), 0, 100000); $stream.Flush($true)
        Stop-Process $mount -Force; $mount.WaitForExit(); try { $stream.Dispose() } catch { Write-Verbose "as expected: $_" }
        Invoke-Hammer2 @('fsck', $image) | Out-Null
        Mount-Image; (Get-Item "$root\flushed").Length -eq 100000
    }
    Test-Claim 'rights deny-write' {
        Dismount-Image; Mount-Image @('--rights', 'deny-write')
        Assert-Fails { Set-Content "$root\no" 'x' } 'a write'
        (Get-Content "$root\doc") -eq 'two'
    }
    Test-Claim 'fsck is clean' { Dismount-Image; Invoke-Hammer2 @('fsck', $image) | Out-Null }
    Test-Claim 'verify finds no damage' { Invoke-Hammer2 @('verify', $image) | Out-Null }
}
finally {
    try { Dismount-Image } catch { Write-Warning "$_" }
    if ($null -ne $mount -and -not $mount.HasExited) { Stop-Process $mount -Force }
}

$failed = @($results | Where-Object { -not $_.Passed })
Write-Host ''
Write-Host "$($results.Count) claims, $($failed.Count) failed; Windows $([Environment]::OSVersion.Version), $((Invoke-Hammer2 @('version')).Trim())"
if ($Report) { $results | ConvertTo-Json | Set-Content $Report }
if ($failed.Count -eq 0) { Remove-Item $work -Recurse -Force } else { Write-Host "the image is kept in $work" }
exit $failed.Count
