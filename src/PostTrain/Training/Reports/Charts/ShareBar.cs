using System.Globalization;

namespace PostTrain.Training.Reports;

/// <summary>Draws the parts of a whole as one bar with their names and numbers below it.</summary>
internal static class ShareBar
{
    // Stretched to the column's width, so only heights are to scale.
    private const double Width = 1000,
        Height = 30,
        Gap = 2;

    internal static void Write(Html html, IReadOnlyList<NamedShare> parts)
    {
        double[] amounts = [.. parts.Select(part => double.IsFinite(part.Amount) ? Math.Max(0, part.Amount) : 0)];
        double whole = amounts.Sum(),
            at = 0;
        html.Open("figure", ("class", "shares"));
        html.Open(
            "svg",
            ("xmlns", "http://www.w3.org/2000/svg"),
            ("viewBox", $"0 0 {Width} {Height}"),
            ("preserveAspectRatio", "none"),
            ("class", "share"),
            ("aria-hidden", "true")
        );
        for (int i = 0; i < parts.Count && whole > 0; i++)
        {
            double width = amounts[i] / whole * Width;
            if (width > 0)
                html.Empty(
                    "rect",
                    ("class", $"c{i % CurveDrawing.Colours}"),
                    ("x", Html.Number(at)),
                    ("y", "0"),
                    ("width", Html.Number(Math.Max(1, width - Gap))),
                    ("height", Html.Number(Height))
                );
            at += width;
        }
        html.Close().Line().Open("dl");
        for (int i = 0; i < parts.Count; i++)
        {
            html.Open("div").Element("dt", parts[i].Name, ("class", $"key k{i % CurveDrawing.Colours}"));
            html.Element(
                "dd",
                whole > 0 ? (100 * amounts[i] / whole).ToString("F1", CultureInfo.InvariantCulture) + " %" : "–",
                ("class", "strong")
            );
            html.Element("dd", parts[i].Text).Close().Line();
        }
        html.Close().Close().Line();
    }
}
