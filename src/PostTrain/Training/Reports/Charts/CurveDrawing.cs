using System.Text;

namespace PostTrain.Training.Reports;

/// <summary>Draws a <see cref="CurveChart"/> as SVG with grid, labels, lines and a value at the pointer, without scripts.</summary>
internal sealed class CurveDrawing
{
    /// <summary>Number of colours in the style sheet. Further series reuse them with dashed lines.</summary>
    public const int Colours = 6;

    /// <summary>Returns the CSS classes of a series: its colour, and dashes from the seventh series on.</summary>
    /// <param name="kind"><c>c</c> in a drawing, <c>k</c> in a legend.</param>
    /// <param name="series">Index of the series, from 0.</param>
    public static string Style(char kind, int series) => $"{kind}{series % Colours}{(series / Colours % 2 == 1 ? " dashed" : "")}";

    private const double Width = 420,
        Height = 220,
        Left = 44,
        Right = 10,
        Top = 12,
        Bottom = 26;
    private const int Buckets = 300,
        HoverBands = 80;

    private readonly CurveChart chart;
    private readonly Ticks ticks;
    private readonly double firstStep,
        lastStep;

    private CurveDrawing(CurveChart chart, IReadOnlyList<CurvePoint> finite)
    {
        this.chart = chart;
        // Includes points that are not drawn: a value that is not finite leaves a gap at its step.
        var steps = chart.Series.SelectMany(s => s.Points).Select(p => p.Step).Where(double.IsFinite).ToList();
        (firstStep, lastStep) = (steps.Min(), steps.Max());
        var (min, max) = (finite.Min(p => p.Value), finite.Max(p => p.Value));
        // An axis that nearly reaches 0 is extended to 0: a truncated scale misleads.
        if (min > 0 && min < 0.35 * max)
            min = 0;
        ticks = Ticks.Around(min, max, 4);
    }

    /// <summary>Writes the <c>svg</c> element.</summary>
    public static void Draw(Html html, CurveChart chart)
    {
        var finite = chart.Series.SelectMany(s => s.Points).Where(IsDrawn).ToList();
        html.Open(
            "svg",
            ("xmlns", "http://www.w3.org/2000/svg"),
            ("viewBox", $"0 0 {Width} {Height}"),
            ("class", "chart"),
            ("role", "img"),
            ("aria-label", chart.Title)
        );
        if (finite.Count == 0)
        {
            html.Element(
                "text",
                "no values",
                ("class", "none"),
                ("x", Html.Number(Width / 2)),
                ("y", Html.Number(Height / 2)),
                ("text-anchor", "middle")
            );
        }
        else
        {
            var drawing = new CurveDrawing(chart, finite);
            drawing.Axes(html);
            drawing.Lines(html);
            drawing.Hover(html);
        }

        html.Close();
    }

    /// <summary>Returns the curve to show: the moving average of a noisy curve, any other curve unchanged.</summary>
    public static IReadOnlyList<CurvePoint> Trend(IReadOnlyList<CurvePoint> points) =>
        Smoothing.IsNoisy(points) ? Smoothing.Ema(points, Math.Max(8, points.Count / 20.0)) : points;

    private double X(double step) =>
        firstStep == lastStep ? (Left + Width - Right) / 2 : Left + (step - firstStep) / (lastStep - firstStep) * (Width - Left - Right);

    private double Y(double value) =>
        Height - Bottom - (value - ticks.Values[0]) / (ticks.Values[^1] - ticks.Values[0]) * (Height - Top - Bottom);

    private void Axes(Html html)
    {
        foreach (var value in ticks.Values)
        {
            var y = Html.Number(Y(value));
            html.Empty(
                "line",
                ("class", value == ticks.Values[0] ? "axis" : "grid"),
                ("x1", Html.Number(Left)),
                ("x2", Html.Number(Width - Right)),
                ("y1", y),
                ("y2", y)
            );
            html.Element(
                "text",
                ticks.Label(value),
                ("x", Html.Number(Left - 7)),
                ("y", Html.Number(Y(value) + 3.5)),
                ("text-anchor", "end")
            );
        }

        var steps = Ticks.Within(firstStep, lastStep, 5, minimumStep: 1);
        var labels = steps.Values.Count > 0 ? steps.Values : [firstStep];
        var baseline = Html.Number(Height - 8);
        html.Element("text", "step", ("x", Html.Number(Left - 7)), ("y", baseline), ("text-anchor", "end"), ("class", "name"));
        foreach (var step in labels)
        {
            // A centred label at the last tick would extend beyond the drawing.
            var anchor =
                X(step) > Width - Right - 12 ? "end"
                : X(step) < Left + 4 ? "start"
                : "middle";
            var x = anchor == "end" ? Math.Min(Width - 2, X(step) + 8) : X(step);
            html.Element("text", steps.Label(step), ("x", Html.Number(x)), ("y", baseline), ("text-anchor", anchor));
        }
    }

    private void Lines(Html html)
    {
        for (var i = 0; i < chart.Series.Count; i++)
        {
            var points = chart.Series[i].Points;
            var colour = Style('c', i);
            var trend = Trend(points);
            if (trend != points)
                Line(html, Smoothing.Thin(points, Buckets), $"raw {colour}");
            Line(html, Smoothing.Thin(trend, Buckets), $"line {colour}");
        }
    }

    private void Line(Html html, IReadOnlyList<CurvePoint> points, string style)
    {
        var path = new StringBuilder();
        for (var i = 0; i < points.Count; i++)
        {
            if (!IsDrawn(points, i))
                continue;
            var starts = !IsDrawn(points, i - 1);
            if (starts && !IsDrawn(points, i + 1))
                html.Empty(
                    "circle",
                    ("class", $"dot {style}"),
                    ("cx", Html.Number(X(points[i].Step))),
                    ("cy", Html.Number(Y(points[i].Value))),
                    ("r", "2.2")
                );
            else
                path.Append(starts ? 'M' : 'L').Append(Html.Number(X(points[i].Step))).Append(' ').Append(Html.Number(Y(points[i].Value)));
        }

        if (path.Length > 0)
            html.Empty("path", ("class", style), ("d", path.ToString()));
    }

    private static bool IsDrawn(IReadOnlyList<CurvePoint> points, int i) => i >= 0 && i < points.Count && IsDrawn(points[i]);

    // The limit keeps the range of an axis finite. A run with such values has diverged.
    private static bool IsDrawn(CurvePoint point) => Math.Abs(point.Value) < 1e100 && double.IsFinite(point.Step);

    /// <summary>Draws invisible bands over the chart; the style sheet shows a band's line and values under the pointer.</summary>
    private void Hover(Html html)
    {
        var steps = chart.Series.SelectMany(s => s.Points).Select(p => p.Step).Where(double.IsFinite).Distinct().Order().ToArray();
        var stride = Math.Max(1, (steps.Length + HoverBands - 1) / HoverBands);
        var shown = Enumerable
            .Range(0, (steps.Length + stride - 1) / stride)
            .Select(i => steps[Math.Min(i * stride, steps.Length - 1)])
            .ToArray();
        var values = chart.Series.Select(s => s.Points.DistinctBy(p => p.Step).ToDictionary(p => p.Step, p => p.Value)).ToArray();
        for (var i = 0; i < shown.Length; i++)
        {
            double x = X(shown[i]);
            var left = i == 0 ? Left : (X(shown[i - 1]) + x) / 2;
            var right = i == shown.Length - 1 ? Width - Right : (x + X(shown[i + 1])) / 2;
            var label = new StringBuilder("step ").Append(Html.Number(shown[i]));
            html.Open("g", ("class", "hover"));
            html.Empty(
                "rect",
                ("x", Html.Number(left)),
                ("y", "0"),
                ("width", Html.Number(right - left)),
                ("height", Html.Number(Height - Bottom))
            );
            html.Empty(
                "line",
                ("x1", Html.Number(x)),
                ("x2", Html.Number(x)),
                ("y1", Html.Number(Top)),
                ("y2", Html.Number(Height - Bottom))
            );
            for (var s = 0; s < values.Length; s++)
            {
                if (!values[s].TryGetValue(shown[i], out var value) || !IsDrawn(new CurvePoint(shown[i], value)))
                    continue;
                html.Empty("circle", ("class", $"c{s % Colours}"), ("cx", Html.Number(x)), ("cy", Html.Number(Y(value))), ("r", "3"));
                label.Append(" · ").Append(Ticks.Short(value));
            }

            var inLeftHalf = x < Width / 2;
            html.Element(
                "text",
                label.ToString(),
                ("x", Html.Number(inLeftHalf ? x + 5 : x - 5)),
                ("y", Html.Number(Top - 2)),
                ("text-anchor", inLeftHalf ? "start" : "end")
            );
            html.Close();
        }
    }
}
