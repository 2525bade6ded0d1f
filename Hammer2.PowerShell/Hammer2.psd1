@{
    RootModule = 'Hammer2.PowerShell.dll'
    ModuleVersion = '0.1.0'
    GUID = '5b1f3c8e-6a0d-4a57-9a3e-0d8f2c9b7e41'
    Author = 'The Hammer2 for Windows authors'
    CompanyName = 'The Hammer2 for Windows authors'
    Copyright = '(c) 2026 The Hammer2 for Windows authors. BSD-3-Clause.'
    Description = 'Mounts, reads, changes, makes and checks HAMMER2 volumes of DragonFly BSD with the hammer2 program.'
    PowerShellVersion = '5.1'
    CompatiblePSEditions = @('Core', 'Desktop')
    FormatsToProcess = @('Hammer2.format.ps1xml')
    CmdletsToExport = @(
        'Copy-Hammer2Item'
        'Dismount-Hammer2Volume'
        'Format-Hammer2Volume'
        'Get-Hammer2ChildItem'
        'Get-Hammer2Content'
        'Get-Hammer2Mount'
        'Get-Hammer2Pfs'
        'Get-Hammer2Snapshot'
        'Get-Hammer2Volume'
        'Measure-Hammer2Usage'
        'Mount-Hammer2Volume'
        'New-Hammer2Pfs'
        'New-Hammer2Snapshot'
        'New-Hammer2Volume'
        'Optimize-Hammer2Volume'
        'Remove-Hammer2Pfs'
        'Remove-Hammer2Snapshot'
        'Rename-Hammer2Pfs'
        'Repair-Hammer2Volume'
        'Resize-Hammer2Volume'
        'Restore-Hammer2Snapshot'
        'Test-Hammer2Volume'
    )
    FunctionsToExport = @()
    VariablesToExport = @()
    AliasesToExport = @()
    PrivateData = @{ PSData = @{ Tags = @('hammer2', 'filesystem', 'DragonFlyBSD') } }
}
