using System.Text;

namespace PostTrain.Training.Reports;

/// <summary>Draws a <see cref="FrontierChart"/> as SVG: grid, lines of families, intervals, points, and labels that do not cover each
/// other.</summary>
internal sealed class FrontierDrawing
{
    private const double Width = 860,
        Height = 420,
        Left = 62,
        Right = 20,
        Top = 14,
        Bottom = 46,
        Letter = 5.6,
        Line = 12;

    private readonly FrontierChart chart;
    private readonly FrontierPoint[] points;
    private readonly string[] families;
    private readonly FrontierAxis x,
        y;

    private FrontierDrawing(FrontierChart chart, FrontierPoint[] points)
    {
        (this.chart, this.points) = (chart, points);
        families = [.. points.Select(point => point.Family).Distinct()];
        x = FrontierAxis.Of([.. points.Select(point => point.X)], chart.LogX, Left, Width - Right);
        double[] heights =
        [
            .. points.SelectMany(point => (double[])[point.Low, point.Y, point.High]).Where(value => IsDrawn(value, chart.LogY)),
        ];
        y = FrontierAxis.Of(heights, chart.LogY, Height - Bottom, Top);
    }

    /// <summary>Writes the <c>svg</c> element.</summary>
    public static void Draw(Html html, FrontierChart chart)
    {
        FrontierPoint[] points = [.. chart.Points.Where(point => IsDrawn(point.X, chart.LogX) && IsDrawn(point.Y, chart.LogY))];
        html.Open(
            "svg",
            ("xmlns", "http://www.w3.org/2000/svg"),
            ("viewBox", $"0 0 {Width} {Height}"),
            ("class", "chart frontier"),
            ("role", "img"),
            ("aria-label", $"{chart.YTitle} over {chart.XTitle}")
        );
        if (points.Length == 0)
        {
            Text(html, "no values", Width / 2, Height / 2, "middle");
        }
        else
        {
            var drawing = new FrontierDrawing(chart, points);
            drawing.Axes(html);
            drawing.Families(html);
            drawing.Points(html);
            drawing.Labels(html);
        }
        html.Close();
    }

    private static bool IsDrawn(double value, bool logarithmic) => Math.Abs(value) < 1e100 && (!logarithmic || value > 1e-100);

    private void Axes(Html html)
    {
        foreach (var (value, label) in x.Ticks)
        {
            Segment(html, "grid", x.At(value), Top, x.At(value), Height - Bottom);
            Text(html, label, x.At(value), Height - Bottom + 16, "middle");
        }
        foreach (var (value, label) in y.Ticks)
        {
            Segment(html, "grid", Left, y.At(value), Width - Right, y.At(value));
            Text(html, label, Left - 7, y.At(value) + 3.5, "end");
        }
        Text(html, chart.XTitle, (Left + Width - Right) / 2, Height - 10, "middle");
        html.Element(
            "text",
            chart.YTitle,
            ("transform", $"translate(14 {Html.Number((Top + Height - Bottom) / 2)}) rotate(-90)"),
            ("text-anchor", "middle")
        );
    }

    private void Families(Html html)
    {
        foreach (
            var family in points.Where(point => point.Family.Length > 0).GroupBy(point => point.Family).Where(group => group.Count() > 1)
        )
        {
            var path = new StringBuilder();
            foreach (var point in family)
                path.Append(path.Length == 0 ? 'M' : 'L').Append(Html.Number(x.At(point.X))).Append(' ').Append(Html.Number(y.At(point.Y)));
            html.Empty("path", ("class", Style(family.First())), ("d", path.ToString()));
        }
    }

    private void Points(Html html)
    {
        foreach (var point in points)
        {
            var (low, high) = (
                IsDrawn(point.Low, chart.LogY) ? point.Low : point.Y,
                IsDrawn(point.High, chart.LogY) ? point.High : point.Y
            );
            html.Open("g", ("class", Style(point)));
            html.Element("title", $"{point.Name}: {Ticks.Short(point.Y)} ({Ticks.Short(point.Low)} to {Ticks.Short(point.High)})");
            Segment(html, "range", x.At(point.X), y.At(low), x.At(point.X), y.At(high));
            html.Empty("circle", ("cx", Html.Number(x.At(point.X))), ("cy", Html.Number(y.At(point.Y))), ("r", "3.6"));
            html.Close();
        }
    }

    // Each label takes the nearest free place around its point, with a thin line to it where it is not beside the point.
    private void Labels(Html html)
    {
        List<(double Left, double Top, double Right, double Bottom)> taken =
        [
            .. points.Select(point => (x.At(point.X) - 5, y.At(point.Y) - 5, x.At(point.X) + 5, y.At(point.Y) + 5)),
        ];
        foreach (var point in points.Where(point => point.Name.Length > 0))
        {
            var (px, py, width) = (x.At(point.X), y.At(point.Y), Letter * point.Name.Length);
            var box = Places(px, py, width).FirstOrDefault(place => !taken.Any(other => Overlap(place, other)));
            if (box == default)
                continue;
            taken.Add(box);
            var (cx, cy) = (Math.Clamp(px, box.Left, box.Right), Math.Clamp(py, box.Top, box.Bottom));
            if (Math.Abs(cx - px) + Math.Abs(cy - py) > 12)
                Segment(html, "leader", px, py, cx, cy);
            Text(html, point.Name, box.Left, box.Bottom - 3, "start");
        }
    }

    private static IEnumerable<(double Left, double Top, double Right, double Bottom)> Places(double px, double py, double width)
    {
        for (var ring = 0; ring < 16; ring++)
            foreach (var up in (double[])[-1, 1, 0])
            foreach (var left in (double[])[px + 7, px - 7 - width, px - width / 2, px + 7 + 20 * ring, px - 7 - 20 * ring - width])
            {
                var top = py - Line / 2 + up * Line * (ring + (up == 0 ? 0 : 0.2));
                if (left >= Left && left + width <= Width && top >= Top - 8 && top + Line <= Height - Bottom)
                    yield return (left, top, left + width, top + Line);
            }
    }

    private static bool Overlap(
        (double Left, double Top, double Right, double Bottom) a,
        (double Left, double Top, double Right, double Bottom) b
    ) => a.Left < b.Right && b.Left < a.Right && a.Top < b.Bottom && b.Top < a.Bottom;

    private string Style(FrontierPoint point) => CurveDrawing.Style('c', Array.IndexOf(families, point.Family));

    private static void Segment(Html html, string style, double x1, double y1, double x2, double y2) =>
        html.Empty(
            "line",
            ("class", style),
            ("x1", Html.Number(x1)),
            ("y1", Html.Number(y1)),
            ("x2", Html.Number(x2)),
            ("y2", Html.Number(y2))
        );

    private static void Text(Html html, string text, double x, double y, string anchor) =>
        html.Element("text", text, ("x", Html.Number(x)), ("y", Html.Number(y)), ("text-anchor", anchor));
}
