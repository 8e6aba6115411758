using System.Globalization;
using System.Text;
using System.Text.Json;

namespace PostTrain.Training.Reports;

/// <summary>Draws a <see cref="CurveChart"/> as SVG with grid, labels and lines; <see cref="ReportScript"/> adds values at the
/// pointer.</summary>
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
    private const int Buckets = 300;

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
        }

        html.Close();
    }

    /// <summary>Returns the series as JSON for <see cref="ReportScript"/>: name, style, raw values and trend, as many as are
    /// drawn.</summary>
    public static string Data(CurveChart chart)
    {
        var text = new StringBuilder("[");
        for (var i = 0; i < chart.Series.Count; i++)
        {
            var points = chart.Series[i].Points;
            var trend = Trend(points);
            text.Append(i > 0 ? "," : "")
                .Append("{\"name\":")
                .Append(JsonSerializer.Serialize(chart.Series[i].Name))
                .Append(",\"style\":\"")
                .Append(Style('c', i))
                .Append("\",\"raw\":");
            Append(text, Smoothing.Thin(points, Buckets));
            if (trend != points)
                Append(text.Append(",\"trend\":"), Smoothing.Thin(trend, Buckets));
            text.Append('}');
        }
        return text.Append(']').ToString();

        static void Append(StringBuilder text, IReadOnlyList<CurvePoint> points)
        {
            text.Append('[');
            for (var i = 0; i < points.Count; i++)
                text.Append(i > 0 ? ",[" : "[")
                    .Append(double.IsFinite(points[i].Step) ? points[i].Step.ToString("R", CultureInfo.InvariantCulture) : "null")
                    .Append(',')
                    .Append(IsDrawn(points[i]) ? points[i].Value.ToString("G6", CultureInfo.InvariantCulture) : "null")
                    .Append(']');
            text.Append(']');
        }
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
}
