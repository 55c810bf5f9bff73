"""What the reference implementation of SLIP-0039 makes of the request on stdin; both are JSON.

{"secret", "passphrase", "extendable", "exponent", "group_threshold", "groups", "random"} gives the groups' mnemonics, made with the bytes
of "random" if there are any; {"mnemonics", "passphrase"} gives the secret. Bytes are in hexadecimal.
"""

import io
import json
import sys

from shamir_mnemonic import shamir

request = json.load(sys.stdin)
passphrase = request["passphrase"].encode("ascii")
if "mnemonics" in request:
    answer = shamir.combine_mnemonics(request["mnemonics"], passphrase).hex()
else:
    if "random" in request:
        shamir.RANDOM_BYTES = io.BytesIO(bytes.fromhex(request["random"])).read
    answer = shamir.generate_mnemonics(
        request["group_threshold"],
        request["groups"],
        bytes.fromhex(request["secret"]),
        passphrase,
        request["extendable"],
        request["exponent"],
    )
json.dump(answer, sys.stdout)
