#!/usr/bin/env pwsh
# Restore, build, test and publish with one command, on Windows and Linux alike.
#   ./build.ps1                    restore, build, test
#   ./build.ps1 -SkipTests         without the tests
#   ./build.ps1 -Publish           also a self-contained hammer2 for -Runtime into artifacts/
[CmdletBinding()]
param(
    [ValidateSet('Debug', 'Release')] [string] $Configuration = 'Release',
    [switch] $SkipTests,
    [switch] $Publish,
    [string] $Runtime = $(if ($IsLinux) { 'linux-x64' } else { 'win-x64' })
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
Set-Location $PSScriptRoot

function Invoke-Step([string] $Name, [string[]] $Arguments) {
    Write-Host "== $Name"
    & dotnet @Arguments
    if ($LASTEXITCODE -ne 0) { throw "$Name failed with exit code $LASTEXITCODE" }
}

Invoke-Step 'restore' @('restore', 'Hammer2.sln')
Invoke-Step 'build' @('build', 'Hammer2.sln', '--no-restore', '-c', $Configuration, '-warnaserror')
if (-not $SkipTests) {
    Invoke-Step 'test' @('test', 'Hammer2.sln', '--no-build', '-c', $Configuration)
}
if ($Publish) {
    Invoke-Step 'publish' @('publish', 'Hammer2.Cli', '-c', $Configuration, '-r', $Runtime, '--self-contained',
        '-p:PublishReadyToRun=true', '-o', "artifacts/$Runtime")
    Write-Host "hammer2 is in artifacts/$Runtime"
}
