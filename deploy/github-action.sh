#!/usr/bin/env bash
# What action.yml runs once layerkit is installed. In: INPUT_* (the action's inputs). Out: annotations, the job's summary, outputs,
# and layerkit's exit code.
set -euo pipefail

summary() { # text from an image is shown as text, whatever is in it
    printf '### layerkit %s\n\n<pre>\n' "$INPUT_MODE"
    sed 's/&/\&amp;/g; s/</\&lt;/g; s/>/\&gt;/g'
    printf '</pre>\n'
}

options=()
[ -z "$INPUT_PROFILE" ] || options+=("--profile=$INPUT_PROFILE")
[ -z "$INPUT_MAX_LAYER_SIZE" ] || options+=("--max-layer-size=$INPUT_MAX_LAYER_SIZE")

# Only where something is to be read from it: an image may be on standard input, too.
run() {
    if [ -n "$INPUT_PASSWORD" ]; then
        printf '%s' "$INPUT_PASSWORD" | layerkit "$@" "--username=$INPUT_USERNAME" --password-stdin "${options[@]}" -- "${operands[@]}"
    else
        layerkit "$@" "${options[@]}" -- "${operands[@]}"
    fi
}

code=0
case "$INPUT_MODE" in
check)
    operands=("$INPUT_IMAGE")
    run check --quiet --format=github || code=$?
    [ "$code" -le 1 ] || exit "$code"
    if [ -n "$INPUT_SARIF" ]; then
        run check --quiet --format=sarif > "$INPUT_SARIF" || [ $? -eq 1 ]
    fi
    found=$(run check --quiet) || [ $? -eq 1 ]
    printf '%s\n' "${found:-$INPUT_IMAGE: nothing found}" | summary >> "$GITHUB_STEP_SUMMARY"
    exit "$code"
    ;;
fix-and-push)
    operands=("$INPUT_IMAGE")
    [ -z "$INPUT_REFERENCE" ] || operands+=("$INPUT_REFERENCE")
    reference=$(run fix-and-push)
    printf 'reference=%s\ndigest=%s\n' "$reference" "${reference##*@}" >> "$GITHUB_OUTPUT"
    printf '%s\n' "$reference" | summary >> "$GITHUB_STEP_SUMMARY"
    ;;
*)
    printf '::error::mode: expected check or fix-and-push, found %s\n' "${INPUT_MODE//[^a-zA-Z0-9-]/?}"
    exit 2
    ;;
esac
