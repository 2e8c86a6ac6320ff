#!/bin/sh
# GREETING, COLOUR and API come from the container's environment; API, where set, is asked for a line to show.
echo "Content-Type: text/plain"
echo
echo "${GREETING:-Hello} from $(hostname), version $VERSION"
[ -z "$API" ] || timeout 2 wget -q -O- "$API" || echo "the api does not answer"
