#!/usr/bin/env bash
# Draws docs/images/terminal.svg from what the commands really print. Run it from the top of a built checkout.
set -euo pipefail
hammer2=Hammer2.Cli/bin/Debug/net10.0/hammer2
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
demo() { # name of a golden image -> an image file
    local out="$work/$1.img"
    [ -f "$out" ] || dotnet run --no-build --project Hammer2.Benchmarks -- unpack "$1" "$out" >/dev/null
    echo "$out"
}
run() { # shown command, real command
    echo "\$ $1"; shift
    "$@" 2>&1 || true
    echo
}
{
    run 'hammer2 pfs-list disk.img' "$hammer2" pfs-list "$(demo multi-pfs)" | cut -c1-61
    run 'hammer2 ls -l disk.img /special' "$hammer2" ls -l "$(demo small-mixed)" /special
    run 'hammer2 verify damaged.img' "$hammer2" verify "$(demo dmg-data)" | sed "s/ key 0x.*check xxhash64 differs/ at 0x1501e800 differs/"
} | sed "s|$work/||g" | awk '
BEGIN { print "HEAD" }
{ gsub(/&/, "\\&amp;"); gsub(/</, "\\&lt;"); gsub(/>/, "\\&gt;"); n++
  colour = substr($0, 1, 2) == "$ " ? "#7ee787" : (/damaged/ ? "#ff7b72" : "#e6edf3")
  printf "  <text x=\"16\" y=\"%d\" fill=\"%s\" xml:space=\"preserve\">%s</text>\n", 40 + n * 18, colour, $0 }
END { print "  <!-- lines " n " -->" }' > "$work/lines"
lines=$(grep -o 'lines [0-9]*' "$work/lines" | tr -dc 0-9)
height=$((40 + lines * 18 + 16))
{
    echo "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"860\" height=\"$height\" font-family=\"ui-monospace, Consolas, 'DejaVu Sans Mono', monospace\" font-size=\"13\">"
    echo "  <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#0d1117\"/>"
    echo '  <circle cx="20" cy="18" r="5" fill="#ff5f56"/><circle cx="38" cy="18" r="5" fill="#ffbd2e"/><circle cx="56" cy="18" r="5" fill="#27c93f"/>'
    grep '<text' "$work/lines"
    echo '</svg>'
} > docs/images/terminal.svg
