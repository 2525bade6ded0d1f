# Turns docs/cli.md into a manual page. Knows the Markdown that page uses: headings, code blocks, tables, paragraphs.
function clean(text,    pieces, piece, n, link) {
    gsub(/\\\|/, "|", text)
    gsub(/\\/, "\\e", text)
    gsub(/-/, "\\-", text)
    # [text](address) becomes text; other brackets are usage and stay.
    while (match(text, /\[[^][]*\]\([^)]*\)/)) {
        link = substr(text, RSTART + 1, RLENGTH - 1)
        text = substr(text, 1, RSTART - 1) substr(link, 1, index(link, "]") - 1) substr(text, RSTART + RLENGTH)
    }
    gsub(/\*\*/, "", text)
    # Every second piece between backticks is code.
    pieces = split(text, piece, "`")
    text = piece[1]
    for (n = 2; n <= pieces; n++)
        text = text (n % 2 == 0 ? "\\fB" : "\\fP") piece[n]
    if (text ~ /^[.']/)
        text = "\\&" text
    return text
}
BEGIN {
    printf ".TH HAMMER2 1 \"%s\" \"hammer2 %s\"\n.SH NAME\nhammer2 \\- reads, writes, checks and mounts HAMMER2 volumes\n", date, version
    print ".SH SYNOPSIS\n.B hammer2\n.I VERB\n[\\fIOPTION\\fP...] [\\fIARGUMENT\\fP...]\n.SH DESCRIPTION"
}
/^```/ { code = !code; print code ? ".PP\n.nf\n.RS" : ".RE\n.fi"; next }
code { line = $0; gsub(/\\/, "\\e", line); gsub(/-/, "\\-", line); print (line ~ /^[.']/ ? "\\&" : "") line; next }
/^# / { next }
/^## / { printf ".SH %s\n", toupper(clean(substr($0, 4))); next }
/^### / { printf ".SS %s\n", clean(substr($0, 5)); next }
/^\| ---/ { next }
/^\|/ {
    row = $0
    gsub(/\\\|/, "\001", row)
    count = split(row, cells, "|")
    first = cells[2]; rest = ""
    for (i = 3; i < count; i++)
        rest = rest (i > 3 ? " " : "") cells[i]
    gsub(/\001/, "|", first); gsub(/\001/, "|", rest)
    gsub(/^ +| +$/, "", first); gsub(/^ +| +$/, "", rest)
    if (first != "" && first != "option" && first != "JSON")
        printf ".TP\n%s\n%s\n", clean(first), clean(rest)
    next
}
/^$/ { print ".PP"; next }
{ print clean($0) }
