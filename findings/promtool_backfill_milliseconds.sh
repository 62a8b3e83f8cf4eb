#!/bin/sh
# promtool takes timestamps in milliseconds for seconds, and writes blocks some 57,000 years ahead.
# promtool 2.42.0 (Debian 2.42.0+ds-5), `tsdb create-blocks-from openmetrics`: the text format that
# exporters serve has milliseconds, OpenMetrics has seconds, and both files look alike. With
# milliseconds it exits with 0, makes a block for each sample, and no query ever shows one.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -q prometheus=2.42.0+ds-5+deb12u1 >/dev/null
dpkg -x prometheus_*.deb .
for unit in 1 1000; do
    printf '# TYPE jobs counter\njobs_total 1 %s\njobs_total 5 %s\n# EOF\n' \
        "$((1796000000 * unit))" "$((1796000015 * unit))" >input
    usr/bin/promtool tsdb create-blocks-from openmetrics input "blocks$unit" >"listing$unit"
    echo "exit code $?, timestamps x $unit:"
    cat "listing$unit"
done
[ "$(tail -n +2 listing1 | wc -l)" -eq 1 ]
[ "$(tail -n +2 listing1000 | wc -l)" -eq 2 ]
tail -n 1 listing1000 | grep -q ' 1796000015000000 '
echo "as described"
