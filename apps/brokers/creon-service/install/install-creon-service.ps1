<#
.SYNOPSIS
  Installs creon-service on the Windows machine that runs CREON Plus, and registers the scheduled task that keeps it running.
.DESCRIPTION
  CREON Plus needs a desktop session, an elevated process and 32-bit Python, so this is a task of the logged-in user and not a
  Windows service. Run it in an elevated PowerShell, once, from the folder of the service. Run again, it updates.
.PARAMETER ListenAddress
  The address that JTS on Linux reaches. Loopback unless given; anything else needs a file of keys.
.PARAMETER CreonPath
  The folder of CREON Plus, in which its starter is. Unless given: that of the last time, C:/PLUS/ or C:/CREON/, whichever is there.
.PARAMETER Live
  Sends orders. Without it the service is a dry run.
.EXAMPLE
  .\install\install-creon-service.ps1 -Python C:\Python311-32\python.exe -ListenAddress 192.168.1.100 -AllowFrom 192.168.1.10 -Live
#>
[CmdletBinding(SupportsShouldProcess)]
param(
  [string] $Python = 'py -3.11-32',
  [string] $ListenAddress = '127.0.0.1',
  [int] $Port = 8001,
  [string] $AllowFrom = '',
  [string] $CreonPath = '',
  [string] $DataFolder = "$env:LOCALAPPDATA\jts\creon",
  [string] $TaskName = 'JTS creon-service',
  [switch] $Live,
  [switch] $Uninstall
)
$ErrorActionPreference = 'Stop'
Set-StrictMode -Version 3

function Assert-That([bool] $Condition, [string] $Words) { if (-not $Condition) { throw $Words } }

$identity = [Security.Principal.WindowsPrincipal] [Security.Principal.WindowsIdentity]::GetCurrent()
Assert-That $identity.IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator) `
  'expected an elevated PowerShell: CREON Plus refuses processes that are not'

if ($Uninstall) {
  Unregister-ScheduledTask -TaskName $TaskName -Confirm:$false -ErrorAction SilentlyContinue
  Get-NetFirewallRule -DisplayName $TaskName -ErrorAction SilentlyContinue | Remove-NetFirewallRule
  Write-Host "$TaskName is no longer registered; its record stays in $DataFolder"
  return
}

# The service logs in again by the starter in this folder: a wrong one would be found at the first night.
if (-not $CreonPath) {
  $known = @([Environment]::GetEnvironmentVariable('CREON_API_PATH', 'User'), 'C:/PLUS/', 'C:/CREON/')
  $CreonPath = $known | Where-Object { $_ -and (Test-Path $_ -PathType Container) } | Select-Object -First 1
}
Assert-That ($CreonPath -and (Test-Path $CreonPath -PathType Container)) `
  "expected the folder of CREON Plus at $(if ($CreonPath) { $CreonPath } else { 'C:/PLUS/ or C:/CREON/' }), found none: install it, or name its folder with -CreonPath"

$folder = Split-Path -Parent $PSScriptRoot
Assert-That (Test-Path "$folder\src\main.py") "expected src\main.py in $folder"
$loopback = $ListenAddress -in @('127.0.0.1', 'localhost', '::1')
New-Item -ItemType Directory -Force -Path $DataFolder | Out-Null
$keys = Join-Path $DataFolder 'keys.json'
Assert-That ($loopback -or (Test-Path $keys)) `
  "expected a file of keys at $keys to listen on ${ListenAddress}: {""keys"":[{""id"":""..."",""secret"":""at least 32 bytes"",""right"":""trade""}]}"

# A virtual environment of its own; the pins have wheels for 32-bit Windows.
$venv = Join-Path $DataFolder 'venv'
if (-not (Test-Path "$venv\Scripts\python.exe")) {
  $command, $rest = $Python -split ' '
  & $command @($rest) -m venv $venv
  Assert-That ($LASTEXITCODE -eq 0) "expected $Python to make a virtual environment"
}
$venvPython = "$venv\Scripts\python.exe"
$bits = & $venvPython -c "import struct; print(struct.calcsize('P') * 8)"
Assert-That ($bits -eq '32') "expected 32-bit Python, found $bits-bit: Creon's COM classes are not registered for it"
& $venvPython -m pip install --only-binary=:all: -r "$folder\requirements.txt"
Assert-That ($LASTEXITCODE -eq 0) 'expected the requirements to install'

# Only its owner and the system may read the keys and the record.
& icacls $DataFolder /inheritance:r /grant:r "${env:USERNAME}:(OI)(CI)F" 'SYSTEM:(OI)(CI)F' | Out-Null
Assert-That ($LASTEXITCODE -eq 0) "expected to restrict $DataFolder"

[Environment]::SetEnvironmentVariable('CREON_API_PATH', $CreonPath, 'User')
[Environment]::SetEnvironmentVariable('JTS_BROKER_KEYS', $keys, 'User')
foreach ($name in 'CREON_ID', 'CREON_PASSWORD', 'CREON_CERT_PASSWORD') {
  if (-not [Environment]::GetEnvironmentVariable($name, 'User')) {
    Write-Warning "$name is not set for this user: the service will not log in to CREON Plus by itself"
  }
}

$arguments = @("`"$folder\src\main.py`"", '--platform=windows', "--host=$ListenAddress", "--port=$Port", "--data-dir=`"$DataFolder`"")
if (Test-Path $keys) { $arguments += "--keys=`"$keys`"" }
if ($Live) { $arguments += '--live' }
$action = New-ScheduledTaskAction -Execute $venvPython -Argument ($arguments -join ' ') -WorkingDirectory $folder
$trigger = New-ScheduledTaskTrigger -AtLogOn -User "$env:USERDOMAIN\$env:USERNAME"
# Elevated, in the session that the HTS has its windows in; started again whenever it ends.
$principal = New-ScheduledTaskPrincipal -UserId "$env:USERDOMAIN\$env:USERNAME" -LogonType Interactive -RunLevel Highest
$settings = New-ScheduledTaskSettingsSet -AllowStartIfOnBatteries -DontStopIfGoingOnBatteries -ExecutionTimeLimit ([TimeSpan]::Zero) `
  -RestartCount 999 -RestartInterval (New-TimeSpan -Minutes 1) -MultipleInstances IgnoreNew -StartWhenAvailable
if ($PSCmdlet.ShouldProcess($TaskName, 'register the scheduled task')) {
  Register-ScheduledTask -TaskName $TaskName -Action $action -Trigger $trigger -Principal $principal -Settings $settings -Force | Out-Null
}

if (-not $loopback) {
  $from = if ($AllowFrom) { $AllowFrom } else { 'LocalSubnet' }
  Get-NetFirewallRule -DisplayName $TaskName -ErrorAction SilentlyContinue | Remove-NetFirewallRule
  New-NetFirewallRule -DisplayName $TaskName -Direction Inbound -Action Allow -Protocol TCP -LocalPort $Port -LocalAddress $ListenAddress -RemoteAddress $from | Out-Null
}

Start-ScheduledTask -TaskName $TaskName
$probe = "http://$(if ($loopback) { '127.0.0.1' } else { $ListenAddress }):$Port/health"
for ($try = 1; $try -le 30; $try++) {
  try { $status = (Invoke-WebRequest -UseBasicParsing -Uri $probe -TimeoutSec 2).StatusCode; break }
  catch { if ($_.Exception.Response) { $status = [int] $_.Exception.Response.StatusCode; break }; Start-Sleep -Seconds 1; $status = 0 }
}
Assert-That ($status -in 200, 503) "expected $probe to answer within 30 s: look at the task's history"
Write-Host "$TaskName answers at $probe ($(if ($status -eq 200) { 'up' } else { 'up, and waits for CREON Plus' }))"
