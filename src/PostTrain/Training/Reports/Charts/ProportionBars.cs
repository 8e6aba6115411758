using System.Globalization;

namespace PostTrain.Training.Reports;

/// <summary>Draws proportions as rows of bars from 0 to 100 % with 95 % intervals and numbers.</summary>
internal static class ProportionBars
{
    // The drawing is 1000 units wide and stretched to its column, so only heights are to scale.
    private const double Width = 1000,
        Height = 22;

    public static void Write(Html html, IReadOnlyList<NamedProportion> rows)
    {
        html.Open("div", ("class", "scroll")).Open("table", ("class", "proportions")).Open("thead").Open("tr");
        html.Element("th", "", ("scope", "col")).Element("th", "0 – 100 %", ("class", "bar"), ("scope", "col"));
        html.Element("th", "Value", ("class", "number"), ("scope", "col"))
            .Element("th", "95 % interval", ("class", "number"), ("scope", "col"));
        html.Element("th", "Count", ("class", "number"), ("scope", "col")).Close().Close().Open("tbody").Line();
        foreach (var (name, proportion) in rows)
        {
            var interval = proportion.Interval();
            html.Open("tr").Element("th", name, ("class", "text"), ("scope", "row")).Open("td", ("class", "bar"));
            Bar(html, proportion, interval);
            html.Close();
            html.Element("td", double.IsNaN(proportion.Value) ? "–" : Percent(proportion.Value), ("class", "number strong"));
            html.Element("td", interval.ToString(), ("class", "number"));
            html.Element(
                "td",
                string.Create(CultureInfo.InvariantCulture, $"{proportion.Successes} / {proportion.Trials}"),
                ("class", "number")
            );
            html.Close().Line();
        }

        html.Close().Close().Close().Line();
    }

    private static void Bar(Html html, Proportion proportion, ConfidenceInterval interval)
    {
        html.Open(
            "svg",
            ("xmlns", "http://www.w3.org/2000/svg"),
            ("viewBox", $"0 0 {Width} {Height}"),
            ("preserveAspectRatio", "none"),
            ("class", "interval"),
            ("aria-hidden", "true")
        );
        html.Empty("rect", ("class", "track"), ("x", "0"), ("y", "7"), ("width", Html.Number(Width)), ("height", "8"));
        if (proportion.Trials > 0)
        {
            html.Empty(
                "rect",
                ("class", "value"),
                ("x", "0"),
                ("y", "7"),
                ("width", Html.Number(Width * proportion.Value)),
                ("height", "8")
            );
            Whisker(html, interval.Lower, interval.Upper, 11, 11);
            Whisker(html, interval.Lower, interval.Lower, 4, 18);
            Whisker(html, interval.Upper, interval.Upper, 4, 18);
        }

        html.Close();
    }

    // A whisker at the edge would lose half its width.
    private static double X(double value) => Math.Clamp(Width * value, 2, Width - 2);

    private static void Whisker(Html html, double from, double to, double top, double bottom) =>
        html.Empty("line", ("x1", Html.Number(X(from))), ("x2", Html.Number(X(to))), ("y1", Html.Number(top)), ("y2", Html.Number(bottom)));

    private static string Percent(double value) => string.Create(CultureInfo.InvariantCulture, $"{100 * value:F1} %");
}
