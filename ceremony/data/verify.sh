#!/bin/sh
# Verifies the ceremony in this folder with stock tools: sh verify.sh [FOLDER [FOLDER-OF-THE-CEREMONY-BEFORE]]
# The claims are those of `keyrite-ceremony verify`. Exit status: 0 nothing fails, 3 something fails, 1 a tool is missing.
# Take this script from somebody you trust, not from the folder that you doubt.
LC_ALL=C; export LC_ALL; unset bad; code=0 missing=0
before=${2:+$(cd "$2" && pwd)}; cd "${1:-$(dirname "$0")}" || exit 1
T=$(mktemp -d) || exit 1; trap 'rm -rf "$T"' EXIT; trap 'exit 1' HUP INT TERM; mkdir "$T/w" "$T/k"
bad() { [ -n "$bad" ] || bad=$*; }
claim() { if [ -z "$bad" ]; then echo "pass         $1"; else echo "fail         $1: $bad"; code=3; fi; bad=; }
skip() { echo "not checked  $1: $2"; }
need() { for i in $1; do command -v "$i" > "$T/null" || { skip "$2" "there is no $i"; missing=1; return 1; }; done; }
sums() { [ ! -s "$T/sums.$1" ] || sha256sum -c --strict --quiet "$T/sums.$1" > "$T/null" 2>&1 || bad "a file of the log is missing or changed"; }
same() { sort -u "$T/names.$1" | cmp -s - "$2" || bad "the files are not those that the log names"; }
pem() { { echo '-----BEGIN PUBLIC KEY-----'; echo "$1" | fold -w 64; echo '-----END PUBLIC KEY-----'; } | cmp -s - "$2" || bad "$2"; }
hex() { od -An -v -tx1 "$1" | tr -d ' \n'; }
sum() { sha256sum < "$1" | cut -c1-64; }
any() { printf "%$1s" '' | tr ' ' '?'; }
for i in names.files names.evidence names.torn names.casts bad.log signs seals marks; do : > "$T/$i"; done
touch "$T/sums.files"; [ -f log.jsonl ] && cp log.jsonl "$T/log" || : > "$T/log"
# Form, and the digest of each line.
F='^\{"n":[1-9][0-9]*,"prev":"[0-9a-f]{64}","t":"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z","type":"(genesis|step'
F="$F|readback|artefact|secret-event|exception|skip|abort|recovered|cast|seal|anchor|end)\",\"by\":\[[a-z0-9,\"-]*\],\"body\":\{[ -~]*\}\}\$"
[ -s "$T/log" ] && [ "$(tail -c 1 "$T/log" | od -An -tx1)" = ' 0a' ] || bad 'there are no lines, or the last one has no end'
bad=$bad$(grep -aEvn "$F" "$T/log" | head -n 1 | cut -c1-80); [ -z "$(awk 'length > 65535' "$T/log")" ] || bad 'a line is too long'; claim format
(cd "$T/w" && split -l 1 -a 5 "$T/log" && printf '%s\n' * | xargs sha256sum 2> "$T/null" | cut -c1-64) > "$T/digests"
# Everything that follows from the lines alone; what is to be compared with files goes into tables.
awk -v T="$T" -v D="$T/digests" '
function field(key, s) { if (!match($0, "\"" key "\":\"[^\"]*\"")) return ""; s = substr($0, RSTART, RLENGTH - 1); sub(/^"[^"]*":"/, "", s); return s }
function count(key, s) { if (!match($0, "\"" key "\":[0-9]+")) return ""; s = substr($0, RSTART, RLENGTH); sub(/^.*:/, "", s); return s }
function wrong(id, what) { print id " line " NR ": " what > (T "/bad.log") }
function bytes(h, f, i) { for (i = 1; i < length(h); i += 2) printf "%c", H[substr(h, i, 2)] > f }
function run(cmd, r) { cmd | getline r; close(cmd); return r }
function pairs(re, f, s, p) { s = $0; while (match(s, re)) { p = substr(s, RSTART + 1, RLENGTH - 2); s = substr(s, RSTART + RLENGTH)
	split(p, P, "\":\""); print P[2] "  " P[1] > (T "/sums.files"); if (f) print P[1] > (T "/names.files"); W = W " " P[1] } }
function owe(name) { print name > (T "/names.files") }
BEGIN { for (i = 0; i < 256; i++) H[sprintf("%02x", i)] = i; prev = sprintf("%064d", 0); seals = 0 }
{	getline d < D; type = field("type"); t = field("t")
	if ($0 !~ "^[{]\"n\":" NR ",\"prev\":\"" prev "\",") wrong("chain", "it does not follow the line before"); prev = d
	if (t < last) wrong("times", "it is older than the line before"); last = t
	if (NR == 1 && type == "genesis") { anchored = /"tpm":\{/; E = field("log-value"); C = count("counter"); log_name = field("log")
		token = /"token":\{/; kind = field("kind")
		if ((kind == "REHEARSAL") != (log_name ~ /^REHEARSAL\//)) wrong("kind", "the name and the kind differ")
		print field("script") "  script.yaml" > (T "/sums.script"); print field("allowed-signers") "  allowed_signers" > (T "/sums.allowed-signers")
		print field("ak") "|" field("key") "|" field("log-index-name") "|" field("log-counter-name") "|" kind "|" field("checkpoint") "|" C "|" E > (T "/genesis")
	} else if (type == "genesis" || NR == 1) wrong("order", "genesis is the first line, and no other")
	if (anchored) { f = T "/e"; bytes(E d, f); close(f); E = substr(run("exec sha256sum <" f), 1, 64) }
	if (closed || (ended && type !~ /^(seal|recovered|cast)$/)) wrong("order", "it comes after the end")
	if (type == "end") ended = NR
	if (type == "anchor") { if (count("checkpoint") != open) wrong("order", "it anchors no seal"); open = 0; pairs("\"checkpoint-[0-9a-z.-]+\":\"[0-9a-f]+\"", 0) }
	if (type == "step") { s = $0; while (match(s, /[{]"seat":"[a-z0-9-]+","name":/)) { seat = substr(s, RSTART + 9, RLENGTH - 18); s = substr(s, RSTART + RLENGTH)
			p = substr(s, index(s, "\"principal\":") + 12); who[seat] = ""; if (p ~ /^"/) { split(p, P, "\""); who[seat] = P[2] } }
		if (/"did":\{"sign":/) { N = count("checkpoint"); W = ""; pairs("\"checkpoint-[0-9a-z.-]+\":\"[0-9a-f]+\"", 1); gsub(/ checkpoint-[0-9]+\./, " ", W); gsub(/\.sig/, "", W); sign(W) } }
	if (type == "artefact") evidence(field("sha256")); if (type == "step" && /"printed":/) evidence(field("printed"))
	if (type == "cast") owed("casts", field("file")); if (type == "recovered") { s = $0; while (match(s, /[{]"file":"torn-[0-9]+","sha256":"[0-9a-f]+"/)) {
			split(substr(s, RSTART, RLENGTH), P, "\""); s = substr(s, RSTART + RLENGTH); owed("torn", P[4]); print P[8] "  " P[4] > (T "/sums.torn") } }
	if ((type == "seal" || type == "recovered") && match($0, /"cast":[{]"file":"[^"]*","offset":[0-9]+,"sha256":"[0-9a-f]+"/)) {
		s = substr($0, RSTART, RLENGTH); split(s, P, "\""); sub(/^:/, "", P[9]); sub(/,$/, "", P[9]); print P[6] " " P[9] " " P[12] > (T "/marks") }
	if ((type == "seal" && anchored) || (type == "recovered" && /"counter":[0-9]/)) { if (count("counter") != C + 1) wrong("counter", "a number is missing or there twice"); C = count("counter") }
	if (type == "seal") { N = ++seals; at[N] = NR; if (count("checkpoint") != N || open) wrong("order", "the seals are not in order, or one has no anchor"); open = N
		print N, (anchored ? E : "-"), count("counter"), count("reset-count"), count("restart-count"), count("clock"), d > (T "/seals"); if (ended) closed = 1
		match($0, /"signers":\[[^]]*/); W = substr($0, RSTART + 11, RLENGTH - 11); gsub(/[",]/, " ", W); owe("checkpoint-" N); signed = sign(W)
		if (token) owe("checkpoint-" N ".token.sig"); if (anchored) { split("extend.attest extend.sig counter.attest counter.sig quote.attest quote.sig quote.tss quote.pcrs", P, " "); for (i in P) owe("checkpoint-" N "." P[i]) } }
	f = T "/k/" sprintf("%08d", NR); printf "%c%s", 0, $0 > f; close(f) }
function evidence(h) { print h "  evidence/" h > (T "/sums.evidence"); print h > (T "/names.evidence") }
function owed(id, name) { print name > (T "/names." id); if (name !~ "^(cast|torn)-[0-9]+$") wrong(id, "no name of such a file") }
function sign(w, n, i, S) { n = split(w, S, " "); for (i = 1; i <= n; i++) { owe("checkpoint-" N "." S[i] ".sig"); print N, S[i], t, who[S[i]] > (T "/signs") } return n }
function hashes(cmd, n) { cmd = "cd " T "/k && printf \"%s\\n\" * | xargs sha256sum && rm -f *"; n = 0; while ((cmd | getline) > 0) R[$2] = $1; close(cmd) }
END { if (!closed) wrong("finished", "the ceremony is not finished"); if (!signed) wrong("signatures", "nobody signs the last checkpoint")
	if (NR) hashes(); for (i = 1; i <= NR; i++) L[i] = R[sprintf("%08d", i)]; for (N in at) { m[N] = at[N]; root[N] = L[at[N]] }
	# RFC 6962, level by level: the last node of each checkpoint is on its own, all others are those of complete trees.
	for (most = full = NR; most > 1; most = int((most + 1) / 2)) { half = int(full / 2); for (i = 1; i <= half; i++) node("f" i, L[2 * i - 1] L[2 * i])
		for (N in at) if (m[N] > 1 && m[N] % 2 == 0) node("c" N, L[m[N] - 1] root[N]); hashes()
		for (N in at) { if (m[N] > 1 && m[N] % 2 == 0) root[N] = R["c" N]; m[N] = int((m[N] + 1) / 2) } for (i = 1; i <= half; i++) L[i] = R["f" i]; full = half }
	for (N in at) { f = T "/r"; bytes(root[N], f); close(f); printf "%s\n%d\n%s\n", log_name, at[N], run("base64 <" f) > (T "/want-" N) } }
function node(name, h, f) { f = T "/k/" name; printf "%c", 1 > f; bytes(h, f); close(f) }' "$T/log"
for i in chain times order finished kind counter; do bad=$(sed -n "s/^$i //p" "$T/bad.log" | head -n 1)
	[ -s "$T/genesis" ] || [ "$i" = chain ] || bad="$bad there is no genesis"; claim "$i"; done
IFS='|' read -r ak key log_name counter_name kind previous counter value < "$T/genesis" 2> "$T/null"; [ "$kind" != REHEARSAL ] || echo '             REHEARSAL: nothing here is fit for use'
for i in script allowed-signers; do sums $i; claim $i; done
if [ "$ak$key" ]; then [ -z "$ak" ] || pem "$ak" ak.pem; [ -z "$key" ] || pem "$key" token.pem; fi
[ "$ak" ] || [ ! -e ak.pem ] || bad 'ak.pem'; [ "$key" ] || [ ! -e token.pem ] || bad 'token.pem'; claim keys
[ -s "$T/seals" ] || bad 'there is no seal'
while read -r n rest; do cmp -s "$T/want-$n" "checkpoint-$n" || bad "checkpoint-$n"; done < "$T/seals"; claim checkpoint
sums files; ls | grep '^checkpoint-' > "$T/list"; same files "$T/list"; claim files
# People: one signature for each line of the table.
if need ssh-keygen signatures; then
	bad=$(sed -n 's/^signatures //p' "$T/bad.log"); while read -r n seat t who; do s=checkpoint-$n.$seat.sig; t=$(printf %s "$t" | tr -d ':TZ-')
		ssh-keygen -Y verify -f allowed_signers -I "$who" -n checkpoint@keyrite -Overify-time="${t}Z" -s "$s" < "checkpoint-$n" > "$T/null" 2>&1 || bad "$s"
		{ echo '-----BEGIN SSH SIGNATURE-----'; sed '1d;$d' "$s" | base64 -d | base64 | tr -d '\n' | fold -w 70; echo; echo '-----END SSH SIGNATURE-----'; } 2> "$T/null" | cmp -s - "$s" || bad "$s is not written as ssh-keygen does"
	done < "$T/signs"; claim signatures; fi
# The TPM: each statement is signed by the attestation key, is for this checkpoint, and says what the log says.
if [ -z "$ak" ]; then for i in tpm-log tpm-counter tpm-quote tpm-clock; do skip $i 'the log is unanchored'; done
elif need openssl tpm-log && need tpm2_checkquote tpm-quote; then times=0
	for what in extend counter quote; do while read -r n E c reset restart clock d; do f=checkpoint-$n.$what; h=$(hex "$f.attest" 2> "$T/null")
			openssl dgst -sha256 -verify ak.pem -signature "$f.sig" "$f.attest" > "$T/null" 2>&1 || bad "$f.sig"
			case $what in extend) k=14 says="0022${log_name}00000020$E" ;; counter) k=14 says=0022${counter_name}00000008$(printf %016x "$c") ;;
				quote) k=18 says="00000001000b03$(any 6)0020$(any 64)" ;; esac
			case $h in ff54434780${k}0022$(any 68)0020$(sum "checkpoint-$n" 2> "$T/null")$(any 50)$says) ;; *) bad "$f.attest says something else" ;; esac
			[ $what != quote ] || tpm2_checkquote -u ak.pem -m "$f.attest" -s "$f.tss" -f "$f.pcrs" -g sha256 -q "$(sum "checkpoint-$n")" > "$T/null" 2>&1 || bad "$f"
			if [ $what = quote ]; then # Bytes of these two files that no tool looks at.
				rs=$(openssl asn1parse -inform DER -in "$f.sig" 2> "$T/null" | awk -F: '/INTEGER/ { h = sprintf("%64s", tolower($NF)); gsub(/ /, "0", h); printf "0020%s", h }')
				[ "$(hex "$f.tss" 2> "$T/null")" = "0018000b$rs" ] || bad "$f.tss"
				hex "$f.pcrs" 2> "$T/null" | awk -v map="$(printf %s "$h" | cut -c217-222)" 'function z(n) { return sprintf("%0" n "d", 0) }
					{ split("0 1 1 2 1 2 2 3 1 2 2 3 2 3 3 4", B, " "); for (i = 1; i < 7; i++) p += B[index("0123456789abcdef", substr(map, i, 1))]
					w = "010000000b0003" map z(244); w = w sprintf("%02x000000", (p + 7) / 8); for (; p > 0; p -= q) { q = p < 8 ? p : 8; w = w sprintf("%02x000000", q)
					for (i = 0; i < q; i++) w = w "2000" substr($0, length(w) + 5, 64) z(64); if (q < 8) w = w z((8 - q) * 132) } exit w != $0 }' || bad "$f.pcrs"; fi
			echo "$n $what x$(printf %s "$h" | cut -c169-184)$(printf %s "$h" | cut -c153-168) x$(printf '%08x%08x%016x' "$reset" "$restart" "$clock")" >> "$T/clocks"
		done < "$T/seals"; i=$what; [ $what != extend ] || i=log; claim tpm-$i; done
	sort -n "$T/clocks" | awk '$1 != n { if ($4 < max) exit e = 1; n = $1; max = $4 } $3 < $4 { exit e = 1 } $3 > max { max = $3 } END { exit e }' || bad 'it runs backwards'
	claim tpm-clock; fi
if [ -z "$key" ]; then skip token 'the log has no key in a token'; elif need openssl token; then
	while read -r n rest; do openssl dgst -sha256 -verify token.pem -signature "checkpoint-$n.token.sig" "checkpoint-$n" > "$T/null" 2>&1 || bad "checkpoint-$n.token.sig"
	done < "$T/seals"; claim token; fi
sums evidence; ls evidence 2> "$T/null" > "$T/list"; same evidence "$T/list"; claim evidence
while read -r file length d; do [ "$(head -c "$length" "$file" 2> "$T/null" | sha256sum | cut -c1-64)" = "$d" ] || bad "$file"; done < "$T/marks"
ls | grep '^cast-' > "$T/list"; same casts "$T/list"; bad=$bad$(sed -n 's/^casts //p' "$T/bad.log"); claim recordings
sums torn; ls | grep '^torn-' > "$T/list"; same torn "$T/list"; claim torn
for i in steps quorum people exceptions signers; do skip $i 'keyrite-ceremony verify reads the script'; done
if [ -z "$before" ]; then skip previous 'no folder was given'; else n=$(ls "$before" | sed -n 's/^checkpoint-\([0-9]*\)$/\1/p' | sort -n | tail -n 1)
	[ "$previous" ] && [ "$(sum "$before/checkpoint-$n")" = "$previous" ] || bad 'the last checkpoint there is another'
	if [ "$ak" ] && cmp -s ak.pem "$before/ak.pem"; then tail -n 1 "$before/log.jsonl" | grep -q "\"counter\":$counter," || bad 'the counter rose in between'
		[ "$(hex "$before/checkpoint-$n.extend.attest" | tail -c 64)" = "$value" ] || bad 'the index held something else'; fi; claim previous; fi
[ $code = 3 ] && exit 3; exit $missing
