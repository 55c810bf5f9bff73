#!/bin/sh
# Verifies the ceremony in this folder with stock tools: sh verify.sh [FOLDER [FOLDER-OF-THE-CEREMONY-BEFORE]]
# The claims are those of `keyrite-ceremony verify`. Exit status: 0 nothing fails, 3 something fails, 1 it cannot be told.
# Take this script from somebody you trust, not from the folder that you doubt.
LC_ALL=C; export LC_ALL; missing=0 before=; [ -z "$2" ] || before=$(cd "$2" && pwd) || exit 1; cd "${1:-$(dirname "$0")}" || exit 1
T=$(mktemp -d) || exit 1; trap 'rm -rf "$T"' EXIT; trap 'exit 1' HUP INT TERM; mkdir "$T/line" "$T/node"; exec 3>&2 2> "$T/err"
for i in genesis told seals signs marks names.files names.evidence names.torn names.cast; do : > "$T/$i"; done
give_up() { cat "$T/err" >&3; exit 1; }
bad() { echo "fail $*" >> "$T/told"; }
skip() { echo "skip $*" >> "$T/told"; }
need() { command -v "$1" > "$T/out" && return; missing=1; for i in $2; do skip "$i" "there is no $1"; done; return 1; }
hex() { od -An -v -tx1 "$1" | tr -d ' \n'; }
sum() { sha256sum < "$1" | cut -c1-64; }
sums() { [ ! -e "$T/sums.$1" ] || sha256sum -c --strict --quiet "$T/sums.$1" > "$T/out" || bad "$1" 'a file is missing or changed'; }
same() { find "$2/." ! -name . -prune -name "$3*" | sed 's,.*/,,' | sort > "$T/there"; sort -u "$T/names.$1" | cmp -s - "$T/there" ||
	bad "$4" 'the files are not those that the log names'; }
pem() { { echo '-----BEGIN PUBLIC KEY-----'; echo "$1" | fold -w 64; echo '-----END PUBLIC KEY-----'; } | cmp -s - "$2" || bad keys "$2"; }
[ -f log.jsonl ] && cp log.jsonl "$T/log" || : > "$T/log" # Only this copy is read.
F='^\{"n":[1-9][0-9]*,"prev":"[0-9a-f]{64}","t":"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z","type":"(genesis|step'
F="$F|readback|artefact|secret-event|exception|skip|abort|recovered|cast|seal|anchor|end)\",\"by\":\[[a-z0-9,\"-]*\],\"body\":\{[ -~]*\}\}\$"
grep -aEvn "$F" "$T/log" > "$T/out" && bad format "line $(cut -c1-80 "$T/out" | head -n 1)"
[ -s "$T/log" ] && [ "$(tail -c 1 "$T/log" | od -An -tx1)" = ' 0a' ] || bad format 'there are no lines, or the last one has no end'
(cd "$T/line" && split -l 1 -a 5 "$T/log" && sha256sum ./* | cut -c1-64 > "$T/digests") || give_up
# Everything that follows from the lines alone; what is to be compared with files goes into tables.
awk -v T="$T" '
function text(key) { return match($0, "\"" key "\":\"[^\"]*\"") ? substr($0, RSTART + length(key) + 4, RLENGTH - length(key) - 5) : "" }
function number(key) { return match($0, "\"" key "\":[0-9]+") ? substr($0, RSTART + length(key) + 3, RLENGTH - length(key) - 3) : "" }
function all(re, found, s, n) { for (s = $0; match(s, re); s = substr(s, RSTART + RLENGTH)) found[++n] = substr(s, RSTART, RLENGTH); return n + 0 }
function bad(id, what) { print "fail " id " line " NR ": " what >> (T "/told") }
function bytes(hex, file, i) { for (i = 1; i < length(hex); i += 2) printf "%c", byte[substr(hex, i, 2)] > file; close(file) }
function run(command, answer) { command | getline answer; close(command); return answer }
function owe(id, name) { print name > (T "/names." id) }
function sum(id, hex, name) { print hex "  " name > (T "/sums." id) }
function evidence(hex) { sum("evidence", hex, "evidence/" hex); owe("evidence", hex) }
function sign(seat) { owe("files", "checkpoint-" N "." seat ".sig"); print N, seat, digits, who[seat] > (T "/signs") }
function own(name) { owe("files", name); of[N, name]; owned++ }
function kept(id, name) { owe(id, name); if (name !~ ("^" id "-[0-9]+$")) bad(id, "no name of such a file") }
function hashes(command, P) { command = "cd \"" T "/node\" && find . -type f -exec sha256sum {} + -exec rm {} +"
	while ((command | getline) > 0) { split($0, P, "  ./"); R[P[2]] = P[1] } close(command) }
BEGIN { for (i = 0; i < 256; i++) byte[sprintf("%02x", i)] = i; prev = sprintf("%064d", 0) }
{	getline d < (T "/digests"); type = text("type"); t = digits = text("t"); gsub(/[^0-9]/, "", digits)
	file = T "/node/" NR; printf "%c%s", 0, $0 > file; close(file); if (length($0) > 65535) bad("format", "it is too long")
	if (index($0, "{\"n\":" NR ",\"prev\":\"" prev "\",") != 1) bad("chain", "it does not follow the line before"); prev = d
	if (t < last) bad("times", "it is older than the line before"); last = t
	if ((type == "genesis") != (NR == 1)) bad("order", "genesis is the first line, and no other")
	if (closed || (ended && type !~ /^(seal|recovered|cast)$/)) bad("order", "it comes after the end")
	if (type == "end") ended = 1 }
NR == 1 { anchored = /"tpm":\{/; token = /"token":\{/; E = text("log-value"); C = number("counter"); origin = text("log"); kind = text("kind")
	if ((kind == "REHEARSAL") != (origin ~ /^REHEARSAL\//)) bad("kind", "the name and the kind differ")
	sum("script", text("script"), "script.yaml"); sum("allowed-signers", text("allowed-signers"), "allowed_signers")
	print text("ak") "|" text("key") "|" text("log-index-name") "|" text("log-counter-name") "|" kind "|" text("checkpoint") "|" C "|" E > (T "/genesis") }
anchored { bytes(E d, T "/both"); E = substr(run("exec sha256sum < \"" T "/both\""), 1, 64) }
/"did":\{"attend":/ { n = split($0, P, /[{]"seat":"/); for (i = 2; i <= n; i++) { seat = P[i]; sub(/".*/, "", seat)
	who[seat] = match(P[i], /"principal":"[^"]*/) ? substr(P[i], RSTART + 13, RLENGTH - 13) : "" } }
type == "anchor" && number("checkpoint") != open { bad("order", "it anchors no seal") }
type == "anchor" || /"did":\{"sign":/ { N = number("checkpoint"); n = all("\"checkpoint-[0-9a-z.-]+\":\"[0-9a-f]+\"", P)
	for (i = 1; i <= n; i++) { split(P[i], Q, "\""); sum("files", Q[4], Q[2]); seat = Q[2]
		if (type == "anchor" && !((N, Q[2]) in of)) bad("files", "it names " Q[2])
		if (type == "step") { sub(/^[^.]*[.]/, "", seat); sub(/[.]sig$/, "", seat); sign(seat) } }
	if (type == "anchor") { open = 0; if (n != owned) bad("files", "it does not name each file of the checkpoint") } }
type == "artefact" { evidence(text("sha256")); artefacts += !(text("sha256") in made); made[text("sha256")] }
type == "step" && /"printed":"/ { evidence(text("printed")) }
type == "cast" { kept("cast", text("file")); begun[text("file")] }
type == "recovered" { n = all("[{]\"file\":\"torn-[0-9]+\",\"sha256\":\"[0-9a-f]+\"", P)
	for (i = 1; i <= n; i++) { split(P[i], Q, "\""); kept("torn", Q[4]); sum("torn", Q[8], Q[4]) } }
/"type":"(seal|recovered)"/ && all("\"cast\":[{]\"file\":\"[^\"]*\",\"offset\":[0-9]+,\"sha256\":\"[0-9a-f]+\"", P) {
	split(P[1], Q, "\""); gsub(/[:,]/, "", Q[9]); print Q[6], Q[9], Q[12] > (T "/marks")
	if (!(Q[6] in begun)) bad("recordings", "this recording did not begin before") }
(type == "seal" && anchored) || (type == "recovered" && /"counter":[0-9]/) {
	if (number("counter") != C + 1) bad("counter", "a number is missing or there twice"); C = number("counter") }
type == "seal" { N = ++seals; at[N] = NR; owned = 0; closed = ended; own("checkpoint-" N)
	if (number("checkpoint") != N || open) bad("order", "the seals are not in order, or one has no anchor"); open = N
	print N, (anchored ? E : "-"), number("counter"), number("reset-count"), number("restart-count"), number("clock") > (T "/seals")
	match($0, /"artefacts":\[[^]]*/); n = split(substr($0, RSTART + 13, RLENGTH - 13), P, ","); if (n != artefacts) bad("evidence", "artefacts")
	for (i = 1; i <= n; i++) { gsub(/"/, "", P[i]); if (!(P[i] in made)) bad("evidence", "the seal names " P[i]) }
	match($0, /"signers":\[[^]]*/); s = substr($0, RSTART + 11, RLENGTH - 11); gsub(/"/, "", s); signed = split(s, P, ",")
	for (i = 1; i <= signed; i++) { sign(P[i]); own("checkpoint-" N "." P[i] ".sig") }
	if (token) own("checkpoint-" N ".token.sig")
	n = anchored ? split("extend.attest extend.sig counter.attest counter.sig quote.attest quote.sig quote.tss quote.pcrs", P, " ") : 0
	for (i = 1; i <= n; i++) own("checkpoint-" N "." P[i]) }
END { if (!closed) bad("finished", "the ceremony is not finished"); if (!signed) bad("signatures", "nobody signs the last checkpoint")
	count = NR; hashes(); for (i = 1; i <= count; i++) L[i] = R[i]; for (N in at) { m[N] = at[N]; root[N] = L[at[N]] }
	# RFC 6962, level by level: the last node of each checkpoint is on its own, all others are those of complete trees.
	for (full = count; count > 1; count = int((count + 1) / 2)) {
		full = int(full / 2); for (i = 1; i <= full; i++) bytes("01" L[2 * i - 1] L[2 * i], T "/node/full" i)
		for (N in at) if (m[N] > 1 && m[N] % 2 == 0) bytes("01" L[m[N] - 1] root[N], T "/node/last" N)
		hashes(); for (i = 1; i <= full; i++) L[i] = R["full" i]
		for (N in at) { if (m[N] > 1 && m[N] % 2 == 0) root[N] = R["last" N]; m[N] = int((m[N] + 1) / 2) } }
	for (N in at) { bytes(root[N], T "/root"); printf "%s\n%d\n%s\n", origin, at[N], run("base64 < \"" T "/root\"") > (T "/want-" N) } }' "$T/log" || give_up
IFS='|' read -r ak key log_name counter_name kind previous counter value < "$T/genesis"
[ "$kind" != REHEARSAL ] || echo '             REHEARSAL: nothing here is fit for use'
if [ "$ak" ]; then pem "$ak" ak.pem; elif [ -e ak.pem ]; then bad keys ak.pem; fi
if [ "$key" ]; then pem "$key" token.pem; elif [ -e token.pem ]; then bad keys token.pem; fi
[ -s "$T/seals" ] || bad checkpoint 'there is no seal'
while read -r n d; do cmp -s "$T/want-$n" "checkpoint-$n" || bad checkpoint "checkpoint-$n"; done < "$T/seals"
for i in script allowed-signers files evidence torn; do sums $i; done
same files . checkpoint- files; same evidence evidence '' evidence; same cast . cast- recordings; same torn . torn- torn
while read -r file length d; do [ "$(head -c "$length" "$file" | sha256sum)" = "$d  -" ] || bad recordings "$file"; done < "$T/marks"
# People. ssh-keygen takes other texts for the same signature, other versions, and keys in hardware that nobody touched.
need ssh-keygen signatures && while read -r n seat t who; do s=checkpoint-$n.$seat.sig; sed '1d;$d' "$s" | base64 -d > "$T/blob"
	ssh-keygen -Y verify -f allowed_signers -I "$who" -n checkpoint@keyrite "-Overify-time=${t}Z" -s "$s" < "checkpoint-$n" > "$T/out" || bad signatures "$s"
	{ echo '-----BEGIN SSH SIGNATURE-----'; base64 -w 0 "$T/blob" | sed 's/.\{70\}/&\n/g'; echo; echo '-----END SSH SIGNATURE-----'; } |
		cmp -s - "$s" || bad signatures "$s is not written as ssh-keygen does"
	case $(hex "$T/blob") in *000000[12]?736b2d*[02468ace]????????) bad signatures "$s: not touched" ;; 53534853494700000001*) ;; *) bad signatures "$s" ;; esac
done < "$T/signs"
if [ -z "$key" ]; then skip token 'the log has no key in a token'; elif need openssl token; then while read -r n d; do s=checkpoint-$n.token.sig
	openssl dgst -sha256 -verify token.pem -signature "$s" "checkpoint-$n" > "$T/out" || bad token "$s"; done < "$T/seals"; fi
# The TPM: each statement is signed by the attestation key, is for this checkpoint, and says what the log says.
tpm='tpm-log tpm-counter tpm-quote tpm-clock'
if [ -z "$ak" ]; then for i in $tpm; do skip "$i" 'the log is unanchored'; done; elif need openssl "$tpm" && need tpm2_checkquote "$tpm"; then
	while read -r n E c reset restart clock; do for what in log:extend counter:counter quote:quote; do f=checkpoint-$n.${what#*:} q=$(sum "checkpoint-$n")
		openssl dgst -sha256 -verify ak.pem -signature "$f.sig" "$f.attest" > "$T/out" || bad "tpm-${what%:*}" "$f.sig"
		[ $what != quote:quote ] || tpm2_checkquote -u ak.pem -m "$f.attest" -s "$f.tss" -f "$f.pcrs" -g sha256 -q "$q" > "$T/out" || bad tpm-quote "$f"
		printf '%s|%s|%s|%s|%016x|%08x%08x%016x|' "$n" "${what%:*}" "$q" "$E" "$c" "$reset" "$restart" "$clock"
		echo "$(hex "$f.attest")|$([ $what != quote:quote ] || { hex "$f.sig"; echo '|'; hex "$f.tss"; echo '|'; hex "$f.pcrs"; } | tr -d '\n')"
	done; done < "$T/seals" > "$T/statements"
	awk -F '|' -v log_name="$log_name" -v counter_name="$counter_name" '
	function bad(id, what) { print "fail tpm-" id " checkpoint-" $1 ": " what }
	function zeros(n) { return sprintf("%0" n "d", 0) }
	function der(h) { sub(/^(00)+/, "", h); if (h ~ /^[89a-f]/) h = "00" h; return sprintf("02%02x", length(h) / 2) h }
	{	said = substr($7, 203); right = said == ($2 == "log" ? "0022" log_name "00000020" $4 : "0022" counter_name "00000008" $5)
		if ($2 == "quote") right = said ~ /^00000001000b03......0020/ && length(said) == 88
		if (!right || substr($7, 1, 16) != "ff54434780" ($2 == "quote" ? 18 : 14) "0022" || substr($7, 85, 68) != "0020" $3) bad($2, "it says something else")
		now = "x" substr($7, 169, 16) substr($7, 153, 16); seal = "x" $6; if (now < seal) bad("clock", "it runs backwards")
		if ($1 != n && n && seal < max) bad("clock", "it runs backwards"); if ($1 != n) max = seal; n = $1; if (now > max) max = now }
	$2 == "quote" { r = substr($9, 13, 64); s = substr($9, 81); sig = der(r) der(s) # Bytes that no tool looks at.
		if ($9 != "0018000b0020" r "0020" s || $8 != sprintf("30%02x", length(sig) / 2) sig) bad("quote", "tss is not the signature")
		map = substr(said, 15, 6); p = gsub(/[1248]/, "&", map) + 2 * gsub(/[3569ac]/, "&", map) + 3 * gsub(/[7bde]/, "&", map) + 4 * gsub(/f/, "&", map)
		want = "010000000b0003" map zeros(244) sprintf("%02x000000", (p + 7) / 8)
		for (; p > 0; p -= q) { q = p < 8 ? p : 8; want = want sprintf("%02x000000", q)
			for (i = 0; i < 8; i++) want = want (i < q ? "2000" substr($10, length(want) + 5, 64) zeros(64) : zeros(132)) }
		if ($10 != want) bad("quote", "pcrs is not written as tpm2_quote does") }' "$T/statements" >> "$T/told" || give_up; fi
if [ -z "$before" ]; then skip previous 'no folder was given'; else
	n=$(grep -c '"type":"seal"' "$before/log.jsonl"); [ "$previous" ] && [ "$(sum "$before/checkpoint-$n")" = "$previous" ] || bad previous 'the checkpoint'
	if [ "$ak" ] && cmp -s ak.pem "$before/ak.pem"; then tail -n 1 "$before/log.jsonl" | grep -q "\"counter\":$counter," || bad previous 'the counter'
		[ "$(hex "$before/checkpoint-$n.extend.attest" | tail -c 64)" = "$value" ] || bad previous 'the index'; fi; fi
for i in steps quorum people exceptions signers; do skip $i 'keyrite-ceremony verify reads the script'; done
awk -v ids="format chain times order finished kind script allowed-signers keys checkpoint files signatures tpm-log tpm-counter tpm-quote \
tpm-clock counter token evidence recordings torn previous steps quorum people exceptions signers" -v code="$missing" '
	{ what = $0; sub(/^[^ ]+ [^ ]+ /, "", what); if (!(($1, $2) in told)) told[$1, $2] = what }
	END { n = split(ids, P, " "); for (i = 1; i <= n; i++) { id = P[i]
		if (("fail", id) in told) { print "fail         " id ": " told["fail", id]; code = 3 }
		else if (("skip", id) in told) print "not checked  " id ": " told["skip", id]; else print "pass         " id }
		exit code }' "$T/told"
