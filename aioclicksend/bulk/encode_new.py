class Encoded:  # sketch for the cluster helper
    messages: "Sequence[Message]"   # the good ones
    refs: "Sequence[str]"           # custom_string of each
    bodies: "Sequence[bytes]"       # the JSON of each, with its ref: what travels
    bare: "Sequence[bytes]"         # the JSON of each as handed in, without a generated ref: what identifies it
    media_files: "Sequence[str | None] | None"   # MMS only
    keys: "Sequence[str | None] | None"          # idempotency keys
    bad: "list[NotSent]"            # the others, with Reason.INVALID
