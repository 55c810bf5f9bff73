#!/bin/sh
# Verifies the ceremony in this folder with stock tools: sh verify.sh [FOLDER [FOLDER-OF-THE-CEREMONY-BEFORE]]
# Its claims are those of `keyrite-ceremony verify`; it ends with 0, 3 (something fails) or 1 (nobody can tell). Take it from whom you trust.
LC_ALL=C; export LC_ALL; before=; [ -z "$2" ] || before=$(cd "$2" && pwd) || exit 1; cd "${1:-$(dirname "$0")}" || exit 1
T=$(mktemp -d) || exit 1; trap 'rm -rf "$T"' EXIT; trap 'exit 1' HUP INT TERM; mkdir "$T/line" "$T/node"; exec 3>&2 2> "$T/err"; cat log.jsonl > "$T/log"
for i in genesis told seals signs marks names.files names.evidence names.torn names.cast; do : > "$T/$i"; done
give_up() { cat "$T/err" >&3; echo "not checked  everything: ${*:-the log}"; exit 1; }; bad() { echo "fail $*" >> "$T/told"; }; skip() { echo "skip $*" >> "$T/told"; }
signed() { openssl dgst -sha256 -verify "$1" -signature "$2" "$3" >&2 || bad "$4" "$2"; }; hex() { od -An -v -tx1 "$1" | tr -d ' \n'; }; sum() { sha256sum < "$1" | cut -c1-64; }
same() { find "$2/." ! -name . -prune -name "$3*" | sed 's,.*/,,' | sort > "$T/there"; sort -u "$T/names.$1" | cmp -s - "$T/there" || bad "$4" 'the files are not those that the log names'; }
pem() { [ "$1" ] || { [ ! -e "$2" ] || bad keys "$2"; return; }; { echo '-----BEGIN PUBLIC KEY-----'; echo "$1" | fold -w 64; echo '-----END PUBLIC KEY-----'; } | cmp -s - "$2" || bad keys "$2"; }
F='^\{"n":[1-9][0-9]*,"prev":"[0-9a-f]{64}","t":"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z","type":"(genesis|step'
F="$F|readback|artefact|secret-event|exception|skip|abort|recovered|cast|seal|anchor|end)\",\"by\":\[[a-z0-9,\"-]*\],\"body\":\{[ -~]*\}\}\$"
grep -aEvn "$F" "$T/log" > "$T/out" && bad format "line $(cut -c1-80 "$T/out" | head -n 1)"
[ -s "$T/log" ] && [ "$(tail -c 1 "$T/log" | od -An -tx1)" = ' 0a' ] || bad format 'there are no lines, or the last one has no end'
(cd "$T/line" && split -l 1 -a 5 "$T/log" && sha256sum ./* | cut -c1-64 > "$T/digests") || give_up; set -f
# Everything that follows from the lines alone; what is to be compared with files goes into tables.
awk -v T="$T" 'BEGIN { for (i = 0; i < 256; i++) byte[sprintf("%02x", i)] = i; prev = sprintf("%064d", 0); digest = "exec sha256sum < \"" T "/both\"" }
function text(k) { return match($0, "\"" k "\":\"[^\"]*\"") ? substr($0, RSTART + length(k) + 4, RLENGTH - length(k) - 5) : "" }
function number(k) { return match($0, "\"" k "\":[0-9]+") ? substr($0, RSTART + length(k) + 3, RLENGTH - length(k) - 3) : "" }
function list(k, P, s) { match($0, "\"" k "\":\\[[^]]*"); s = substr($0, RSTART, RLENGTH); sub(/^[^[]*./, "", s); gsub(/"/, "", s); return split(s, P, ",") }
function all(re, P, s, n) { for (s = $0; match(s, re); s = substr(s, RSTART + RLENGTH)) P[++n] = substr(s, RSTART, RLENGTH); return n + 0 }
function bytes(hex, file, i) { for (i = 1; i < length(hex); i += 2) printf "%c", byte[substr(hex, i, 2)] > file; close(file) }
function owe(id, name) { print name > (T "/names." id) }; function sum(id, hex, name) { print hex "  " name > (T "/sums." id) }
function evidence(hex) { sum("evidence", hex, "evidence/" hex); owe("evidence", hex) }; function own(name) { owe("files", name); of[N, name]; owned++ }
function sign(seat) { owe("files", "checkpoint-" N "." seat ".sig"); print N, seat, digits, who[seat] > (T "/signs") }
function kept(id, name) { owe(id, name); if (name !~ ("^" id "-[0-9]+$")) bad(id == "cast" ? "recordings" : id, "no name of such a file") }
function bad(id, what) { print "fail " id " line " NR ": " what >> (T "/told") }; function hashes(command, P) { command = "cd \"" T "/node\" && find . -type f -exec sha256sum {} + -exec rm {} +"
	while ((command | getline) > 0) { split($0, P, "  ./"); R[P[2]] = P[1] } close(command) }
{	getline d < (T "/digests"); type = text("type"); t = digits = text("t"); gsub(/[^0-9]/, "", digits)
	file = T "/node/" NR; printf "%c%s", 0, $0 > file; close(file); if (length($0) > 65535) bad("format", "it is too long")
	if (index($0, "{\"n\":" NR ",\"prev\":\"" prev "\",") != 1) bad("chain", "it does not follow the line before"); prev = d
	if (t < last) bad("times", "it is older than the line before"); last = t; if ((type == "genesis") != (NR == 1)) bad("order", "genesis is the first line, and no other")
	if (closed || (ended && type !~ /^(seal|recovered|cast)$/)) bad("order", "it comes after the end"); if (type == "end") ended = 1 }
NR == 1 { anchored = /"tpm":\{/; token = /"token":\{/; E = text("log-value"); C = number("counter"); origin = text("log"); kind = text("kind")
	if ((kind == "REHEARSAL") != (origin ~ /^REHEARSAL\//)) bad("kind", "the name and the kind differ")
	sum("script", text("script"), "script.yaml"); sum("allowed-signers", text("allowed-signers"), "allowed_signers"); OFS = "|"
	print text("ak"), text("key"), text("log-index-name"), text("log-counter-name"), kind, text("checkpoint"), C, E > (T "/genesis"); OFS = " " }
anchored { bytes(E d, T "/both"); digest | getline E; close(digest); E = substr(E, 1, 64) }
/"did":\{"attend":/ { n = split($0, P, /[{]"seat":"/); for (i = 2; i <= n; i++) { seat = P[i]; sub(/".*/, "", seat)
	who[seat] = match(P[i], /"principal":"[^"]*/) ? substr(P[i], RSTART + 13, RLENGTH - 13) : "" } }
type == "anchor" || /"did":\{"sign":/ { N = number("checkpoint"); n = all("\"checkpoint-[0-9a-z.-]+\":\"[0-9a-f]+\"", P)
	for (i = 1; i <= n; i++) { split(P[i], Q, "\""); sum("files", Q[4], Q[2]); seat = Q[2]
		if (type == "anchor" && !((N, seat) in of)) bad("files", "it names " seat); if (type == "step") { sub(/^[^.]*[.]/, "", seat); sub(/[.]sig$/, "", seat); sign(seat) } }
	if (type == "anchor" && (N != open || n != owned)) bad(N == open ? "files" : "order", "it is not about the seal before"); if (type == "anchor") open = 0 }
type == "artefact" { evidence(text("sha256")); artefacts += !(text("sha256") in made); made[text("sha256")] }
type == "step" && /"printed":"/ { evidence(text("printed")) }; type == "cast" { kept("cast", text("file")); begun[text("file")] }
type == "recovered" { n = all("[{]\"file\":\"torn-[0-9]+\",\"sha256\":\"[0-9a-f]+\"", P)
	for (i = 1; i <= n; i++) { split(P[i], Q, "\""); kept("torn", Q[4]); sum("torn", Q[8], Q[4]) } }
/"type":"(seal|recovered)"/ && all("\"cast\":[{]\"file\":\"[^\"]*\",\"offset\":[0-9]+,\"sha256\":\"[0-9a-f]+\"", P) { split(P[1], Q, "\"")
	gsub(/[:,]/, "", Q[9]); print Q[6], Q[9], Q[12] > (T "/marks"); if (!(Q[6] in begun)) bad("recordings", Q[6] " did not begin before") }
(type == "seal" && anchored) || /"type":"recovered".*"counter":[0-9]/ { if (number("counter") != ++C) bad("counter", "it is not the next") }
type == "seal" { N = ++seals; at[N] = NR; owned = 0; closed = ended; own("checkpoint-" N)
	if (number("checkpoint") != N || open) bad("order", "the seals are not in order, or one has no anchor"); open = N
	print N, (anchored ? E : "-"), C, number("reset-count"), number("restart-count"), number("clock") > (T "/seals")
	n = list("artefacts", P); if (n != artefacts) bad("evidence", "artefacts"); for (i = 1; i <= n; i++) if (!(P[i] in made)) bad("evidence", "it lists " P[i])
	signed = list("signers", P); for (i = 1; i <= signed; i++) { sign(P[i]); own("checkpoint-" N "." P[i] ".sig") }
	s = "extend.attest extend.sig counter.attest counter.sig quote.attest quote.sig quote.tss quote.pcrs"
	n = split((token ? "token.sig " : "") (anchored ? s : ""), P, " "); for (i = 1; i <= n; i++) own("checkpoint-" N "." P[i]) }
END { if (!closed) bad("finished", "the ceremony is not finished"); if (!signed) bad("signatures", "nobody signs the last checkpoint")
	n = NR; hashes(); for (i = 1; i <= n; i++) L[i] = R[i]; for (N in at) { m[N] = at[N]; root[N] = L[at[N]] }
	# RFC 6962, level by level: the last node of each checkpoint is on its own, all others are those of complete trees.
	for (full = n; n > 1; n = int((n + 1) / 2)) { full = int(full / 2); for (i = 1; i <= full; i++) bytes("01" L[2 * i - 1] L[2 * i], T "/node/full" i)
		for (N in at) if (m[N] > 1 && m[N] % 2 == 0) bytes("01" L[m[N] - 1] root[N], T "/node/last" N); hashes(); for (i = 1; i <= full; i++) L[i] = R["full" i]
		for (N in at) { if (m[N] > 1 && m[N] % 2 == 0) root[N] = R["last" N]; m[N] = int((m[N] + 1) / 2) } }
	for (N in at) { bytes(root[N], T "/root"); file = T "/want-" N; printf "%s\n%d\n", origin, at[N] > file; close(file)
		system("base64 < \"" T "/root\" >> \"" file "\"") } }' "$T/log" || give_up
IFS='|' read -r ak key log_name counter_name kind previous counter value < "$T/genesis"; [ "$kind" != REHEARSAL ] || echo '             REHEARSAL: nothing here is fit for use'
for i in ssh-keygen ${key:+openssl} ${ak:+openssl tpm2_checkquote}; do command -v "$i" >&2 || give_up "there is no $i"; done
case $log_name$counter_name in *[!0-9a-f]*) bad tpm-log 'no Name' ;; esac; pem "$ak" ak.pem; pem "$key" token.pem; [ -s "$T/seals" ] || bad checkpoint 'there is no seal'
same files . checkpoint- files; same evidence evidence '' evidence; same cast . cast- recordings; same torn . torn- torn
for i in script allowed-signers files evidence torn; do [ ! -e "$T/sums.$i" ] || sha256sum -c --strict --quiet "$T/sums.$i" >&2 || bad "$i" 'a file differs'; done
while read -r file length d; do [ "$(head -c "$length" "$file" | sha256sum)" = "$d  -" ] || bad recordings "$file"; done < "$T/marks"
# People. ssh-keygen takes other texts for the same signature, other versions, and keys in hardware that nobody touched.
while read -r n seat t who; do s=checkpoint-$n.$seat.sig; sed '1d;$d' "$s" | base64 -d > "$T/blob"
	ssh-keygen -Y verify -f allowed_signers -I "$who" -n checkpoint@keyrite "-Overify-time=${t}Z" -s "$s" < "${s%%.*}" >&2 || bad signatures "$s"
	{ echo '-----BEGIN SSH SIGNATURE-----'; base64 -w 0 "$T/blob" | sed 's/.\{70\}/&\n/g'; echo; echo '-----END SSH SIGNATURE-----'; } | cmp -s - "$s" || bad signatures "$s"
	case $(hex "$T/blob") in *000000[12]?736b2d*[02468ace]????????) bad signatures "$s" ;; 53534853494700000001*) ;; *) bad signatures "$s" ;; esac; done < "$T/signs"
# The TPM: each statement is signed by the attestation key, is for this checkpoint, and says what the log says; no byte is there that no tool looks at.
x=?????????? y=$(printf %064d 0); Q=${x}${x}${x}${x}${x}; while read -r n E c reset restart clock; do f=checkpoint-$n q=$(sum "$f"); cmp -s "$T/want-$n" "$f" || bad checkpoint "$f"
	[ -z "$key" ] || signed token.pem "$f.token.sig" "$f" token; [ "$ak" ] || continue; printf '%08x%08x%016x\n' "$reset" "$restart" "$clock" >> "$T/clocks"
	for what in log:extend:14:0022${log_name}00000020$E counter:counter:14:0022${counter_name}00000008$(printf %016x "$c") quote:quote:18:00000001000b03??????0020$Q${x}????; do
		says=${what##*:} id=tpm-${what%%:*} k=${what%:*}; s=${k%:*}; s=$f.${s#*:}; h=$(hex "$s.attest"); signed ak.pem "$s.sig" "$s.attest" "$id"
		case $h in ff54434780${k##*:}0022$Q${x}????????0020$q$Q$says) ;; *) bad "$id" "$s.attest says something else" ;; esac
		echo "$h" | sed 's/^.\{152\}\(.\{16\}\)\(.\{16\}\).*/\2\1/' >> "$T/clocks"; done
	tpm2_checkquote -u ak.pem -m "$s.attest" -s "$s.tss" -f "$s.pcrs" -g sha256 -q "$q" >&2 || bad "$id" "$s"
	echo "$h $(hex "$s.sig") $(hex "$s.tss") $(hex "$s.pcrs")" | awk -v z="$y$y$y$y" '
		function der(h) { sub(/^(00)+/, "", h); if (h ~ /^[89a-f]/) h = "00" h; return sprintf("02%02x", length(h) / 2) h }
		{	r = substr($3, 13, 64); s = substr($3, 81); d = der(r) der(s); m = substr($1, 217, 6); w = "010000000b0003" m substr(z, 1, 244)
			p = gsub(/[1248]/, "&", m) + 2 * gsub(/[3569ac]/, "&", m) + 3 * gsub(/[7bde]/, "&", m) + 4 * gsub(/f/, "&", m)
			for (w = w sprintf("%02x000000", (p + 7) / 8); p > 0; p -= q) { q = p < 8 ? p : 8; w = w sprintf("%02x000000", q)
				for (i = 0; i < 8; i++) w = w (i < q ? "2000" substr($4, length(w) + 5, 64) substr(z, 1, 64) : substr(z, 1, 132)) }
			exit $3 != "0018000b0020" r "0020" s || $2 != sprintf("30%02x", length(d) / 2) d || $4 != w }' || bad "$id" "$s.tss or $s.pcrs"; done < "$T/seals"
if [ "$before" ]; then n=$(grep -c '"type":"seal"' "$before/log.jsonl"); [ "$(sum "$before/checkpoint-$n")" = "$previous" ] || bad previous 'the checkpoint'
	if [ "$ak" ] && cmp -s ak.pem "$before/ak.pem"; then tail -n 1 "$before/log.jsonl" | grep -q "\"counter\":$counter," || bad previous 'the counter'
		[ "$(hex "$before/checkpoint-$n.extend.attest" | tail -c 64)" = "$value" ] || bad previous 'the index'; fi; else skip 'previous: no folder was given'; fi
skip 'steps quorum people exceptions signers: keyrite-ceremony verify reads the script'; skip 'trust: are these keys those you know?'
[ "$key" ] || skip 'token: no key'; [ "$ak" ] || skip 'tpm-log tpm-counter tpm-quote tpm-clock counter: the log is unanchored'; [ -z "$ak" ] || sort -c "$T/clocks" || bad tpm-clock backwards
awk '!seen[$0]++ { why = $0; sub(/^[^:]*:/, ":", why); if ($1 == "fail") { sub(/^fail /, ""); print "fail         " $0 }
	else for (n = split(substr($0, 6, index($0, ":") - 6), ids, " "); n > 0; n--) print "not checked  " ids[n] why }' "$T/told"; if grep -q '^fail' "$T/told"; then exit 3; fi
for c in format chain times order finished kind script allowed-signers keys checkpoint files signatures tpm-log tpm-counter tpm-quote tpm-clock counter token evidence recordings torn; do grep -qE "^[a-z]+ ([a-z-]+ )*$c([: ]|\$)" "$T/told" || echo "pass         $c"; done
