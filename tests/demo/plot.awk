# SPDX-License-Identifier: Apache-2.0
#
# Draws how fast a download came over time: text to standard output, a picture to the
# file svg. The first input has the marks, "SECONDS NAME" a line, the second the
# samples, "SECONDS BYTES". blocks: eighths of a character may be used.

BEGIN {
	COLUMNS = 64
	ROWS = 8
	W = 760; H = 300; X = 70; Y = 40 # of the picture, and its margins
	if (blocks)
		split("▁ ▂ ▃ ▄ ▅ ▆ ▇ █", part, " ")
}

FNR == NR { at[++marks] = $1; name[marks] = $2; next }

{ time[++n] = $1; bytes[n] = $2 }

# Bytes that had come at a time, between two samples by proportion.
function come(t, i) {
	for (i = 2; i < n && time[i] < t; i++)
		;
	if (time[i] <= time[i - 1])
		return bytes[i]
	t = t > time[i] ? time[i] : t
	return bytes[i - 1] + (bytes[i] - bytes[i - 1]) * (t - time[i - 1]) / (time[i] - time[i - 1])
}

END {
	if (n < 2)
		exit 1
	whole = time[n]
	for (c = 0; c < COLUMNS; c++) { # over half a second at least: samples are coarse
		from = c * whole / COLUMNS
		to = (c + 1) * whole / COLUMNS
		if (to - from < 0.5)
			from = to > 0.5 ? to - 0.5 : 0
		rate[c] = (come(to) - come(from)) * 8e-6 / (to - from)
		rate[c] = rate[c] < 0 ? 0 : rate[c]
		top = rate[c] > top ? rate[c] : top
	}
	scale = top > 100 ? 50 : 10
	top = (int(top / scale) + 1) * scale
	text()
	picture()
}

function text(r, c, line, high, m, k) {
	for (r = ROWS; r > 0; r--) {
		line = ""
		for (c = 0; c < COLUMNS; c++) {
			high = rate[c] / top * ROWS - (r - 1) # of this row
			if (!blocks)
				line = line (high >= 0.5 ? "#" : " ")
			else if (high <= 0)
				line = line " "
			else
				line = line part[high >= 1 ? 8 : int(high * 8) + 1]
		}
		printf "%9s |%s\n", r == ROWS ? top " Mbit/s" : r == 1 ? "0" : "", line
	}
	line = ""
	for (c = 0; c < COLUMNS; c++) {
		k = "-"
		for (m = 1; m <= marks; m++)
			if (int(at[m] / whole * COLUMNS) == c)
				k = m
		line = line k
	}
	printf "%9s +%s %.0f s\n", "", line, whole
	line = ""
	for (m = 1; m <= marks; m++)
		line = line sprintf("%s%d: %s after %.1f s", m > 1 ? "   " : "", m, name[m], at[m])
	printf "%9s  %s\n", "", line
}

function x(t) { return X + t / whole * (W - 2 * X) }
function y(r) { return H - Y - r / top * (H - 2 * Y) }

function picture(c, m, r) {
	printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" font-family=\"sans-serif\" font-size=\"12\">\n", W, H > svg
	printf "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n" > svg
	printf "<text x=\"%d\" y=\"20\">A download while its chain changes: Mbit/s over seconds</text>\n", X > svg
	for (r = 0; r <= top; r += top / 5)
		printf "<path d=\"M%d %.1f H%d\" stroke=\"#ddd\"/><text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%d</text>\n", X, y(r), W - X, X - 6, y(r) + 4, r > svg
	printf "<polyline fill=\"none\" stroke=\"#1769aa\" stroke-width=\"2\" points=\"" > svg
	for (c = 0; c < COLUMNS; c++)
		printf "%.1f,%.1f ", x((c + 0.5) * whole / COLUMNS), y(rate[c]) > svg
	printf "\"/>\n" > svg
	for (m = 1; m <= marks; m++)
		printf "<path d=\"M%.1f %d V%d\" stroke=\"#c62828\" stroke-dasharray=\"4 3\"/><text x=\"%.1f\" y=\"%d\" fill=\"#c62828\">%s</text>\n", x(at[m]), Y, H - Y, x(at[m]) + 3, Y + 12, name[m] > svg
	printf "<text x=\"%d\" y=\"%d\">0</text><text x=\"%d\" y=\"%d\" text-anchor=\"end\">%.0f s</text>\n</svg>\n", X, H - Y + 18, W - X, H - Y + 18, whole > svg
}
