#!/bin/sh
echo "Content-Type: text/plain"
echo
schema=$(timeout 2 wget -q -O- "$DB/cgi-bin/value?schema") || schema=unknown
echo "api $(hostname), schema $schema"
