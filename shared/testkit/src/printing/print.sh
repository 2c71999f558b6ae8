#!/bin/sh
# What the simulator prints with. Files beside it say how:
#   pages  how many a document has        only   how many may be printed so far
#   jam    after how many it jams, until the file is gone; or stops for what stands in `reason`
#   abort  after how many it gives up     paper  every page that was printed, one a line
cd "$(dirname "$0")" || exit 1
say() { echo "$*" >&2; }
is() { [ "$(cat "$1" 2>/dev/null)" = "$2" ]; }
is_over() { [ "$2" -ge "$(cat "$1" 2>/dev/null || echo 999999)" ]; }
# Nobody waits here for ever: a minute.
left=1200
pause() { left=$((left - 1)); [ "$left" -gt 0 ] || exit 1; sleep 0.05; }

pages=$(cat pages)
said=0
say "ATTR: job-impressions=$pages job-impressions-completed=0"
while [ "$said" -lt "$pages" ]; do
    if is jam "$said"; then
        reason=$(cat reason 2>/dev/null || echo media-jam-error)
        say "STATE: +$reason"
        while [ -e jam ]; do pause; done
        say "STATE: -$reason"
    fi
    if is abort "$said"; then exit 1; fi
    while is_over only "$said"; do pause; done
    said=$((said + 1))
    echo "$1 $said" >>paper
    say "ATTR: job-impressions-completed=$said"
done
