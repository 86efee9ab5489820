# Read by run.sh: how a part is run within its time, what is kept of it, and the table.

now() { date +%s; }

# begin SECONDS: a part that may take that long, or as long as is left for all. Gives 1, and a row, if nothing is left.
begin() {
    limit=$1
    echo "== $part"
    left=$((end - $(now)))
    if [ "$left" -le 0 ]; then
        row "$part" skipped "no time was left"
        return 1
    fi
    [ "$limit" -le "$left" ] || limit=$left
    until=$(($(now) + limit))
}

# try COMMAND...: runs it in the time that is left. What it writes is then in $work/said and $work/complained, and in the
# log; what went wrong, if anything, in $why.
try() {
    echo "\$ $*" >> "$out/log.txt"
    left=$((until - $(now)))
    status=124
    : > "$work/said"
    : > "$work/complained"
    if [ "$left" -gt 0 ]; then
        status=0
        # Beside the shell, so that Ctrl-C can end it.
        timeout -k 5 "$left" "$@" < /dev/null > "$work/said" 2> "$work/complained" &
        child=$!
        wait "$child" || status=$?
        child=
    fi
    cat "$work/said" "$work/complained" >> "$out/log.txt"
    case $status in
        0) why= ;;
        124 | 137) why="not done within the $limit s of this part" ;;
        *) why=$(grep . "$work/complained" | tail -n 1) || why="exit status $status" ;;
    esac
    return "$status"
}

# row NAME RESULT NUMBERS: a line of the table; the result is ok, NOT ok, or skipped.
row() {
    line=$(printf '%s\t%s\t%s' "$1" "$2" "$3" | tr '|\n' '/ ' | sed 's/\t/ | /g')
    echo "   $line"
    echo "| $line |" >> "$work/rows"
}

# record WHAT [COMMAND]: keeps the newline JSON that was said, with what it is of.
record() {
    sed -n "s/^{/{\"of\":\"$1${2:+: $2}\",/p" "$work/said" >> "$out/records.jsonl"
}

# epochs FILE: of each record of an epoch: epoch, seconds, test loss. Images per second are told more exactly than seconds.
epochs() {
    awk -v images="$images" '
        function after(name) { return match($0, "\"" name "\": *") ? substr($0, RSTART + RLENGTH) + 0 : "" }
        /"kind": *"epoch"/ {
            epoch = after("epoch")
            rate = after("images_per_second")
            seconds = rate ? images / rate : after("seconds")
            if (match($0, /"test": *\{"loss": *-?[0-9]/)) {
                $0 = substr($0, RSTART)
                print epoch, seconds, after("loss")
            }
        }' "$1"
}

# Of lines of numbers: the median.
median() {
    sort -g | awk '{ x[NR] = $1 } END { if (NR) print NR % 2 ? x[(NR + 1) / 2] : (x[NR / 2] + x[NR / 2 + 1]) / 2 }'
}

# calculate EXPRESSION [FORMAT]: in awk, where the shell has no fractions.
calculate() { awk "BEGIN { printf \"${2:-%.6g}\", $1 }"; }
# holds CONDITION: the same.
holds() { awk "BEGIN { exit !($1) }"; }

table() {
    cat "$work/heading"
    echo
    echo "| part | result | numbers |"
    echo "|---|---|---|"
    cat "$work/rows"
}
