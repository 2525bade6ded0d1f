#!/usr/bin/env pwsh
# Restore, build, test, publish and pack with one command, on Windows and Linux alike (PowerShell 7).
#   ./build.ps1                    restore, build, test
#   ./build.ps1 -SkipTests         without the tests
#   ./build.ps1 -Publish           also a self-contained hammer2 for -Runtime into artifacts/publish/
#   ./build.ps1 -Pack              also everything that is handed out for -Runtime: zip, installer or .deb, NuGet package
# Publishing and packing are targets of installer/Pack.proj, which runs without PowerShell too.
[CmdletBinding()]
param(
    [ValidateSet('Debug', 'Release')] [string] $Configuration = 'Release',
    [switch] $SkipTests,
    [switch] $Publish,
    [switch] $Pack,
    [ValidateSet('win-x64', 'win-arm64', 'linux-x64')] [string[]] $Runtime = $(if ($IsLinux) { 'linux-x64' } else { 'win-x64' })
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
if ($Publish -or $Pack) {
    $target = if ($Pack) { 'All' } else { 'Publish' }
    foreach ($system in $Runtime) {
        Invoke-Step "$($target.ToLowerInvariant()) for $system" @('msbuild', 'installer/Pack.proj', "-t:$target", "-p:Runtime=$system", '-v:minimal')
    }
    Write-Host 'Results are in artifacts/'
}
