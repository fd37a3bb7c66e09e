@echo off
rem Development on Windows: serves what only Windows can run, as .env.windows says.
setlocal
cd /d "%~dp0.."
where node >nul 2>nul
if errorlevel 1 (
  echo dev-windows: expected Node.js 24 or newer on PATH ^(https://nodejs.org^), found none 1>&2
  exit /b 69
)
node scripts\node.js scripts\dev.ts .env.windows
exit /b %errorlevel%
