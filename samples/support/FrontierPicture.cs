using System.Globalization;
using System.Net;
using System.Text;

namespace PostTrain.Samples.Support;

/// <summary>A picture of perplexity against bytes, each with its interval; both axes are logarithmic.</summary>
public static class FrontierPicture
{
    private const double Width = 860;
    private const double Height = 520;
    private const double Left = 80;
    private const double Right = 190;
    private const double Top = 30;
    private const double Bottom = 60;

    /// <summary>The picture as an SVG file's text.</summary>
    public static string Svg(string title, IReadOnlyList<Compressed> results)
    {
        ArgumentNullException.ThrowIfNull(results);
        var points = results.Select(result => (result.Name, result.Bytes, Value: result.Perplexity())).ToArray();
        var (least, most) = (Math.Log(points.Min(p => p.Bytes) * 0.9), Math.Log(points.Max(p => p.Bytes) * 1.1));
        var (low, high) = (Math.Log(points.Min(p => p.Value.Low) * 0.97), Math.Log(points.Max(p => p.Value.High) * 1.03));
        double X(double bytes) => Left + (Math.Log(bytes) - least) / (most - least) * (Width - Left - Right);
        double Y(double value) => Height - Bottom - (Math.Log(value) - low) / (high - low) * (Height - Top - Bottom);
        var svg = new StringBuilder();
        svg.Append(
            CultureInfo.InvariantCulture,
            $"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {Width} {Height}" role="img" font-family="sans-serif" font-size="12">"""
        );
        svg.Append(
            CultureInfo.InvariantCulture,
            $"""<title>{WebUtility.HtmlEncode(title)}</title><rect width="100%" height="100%" fill="white"/>"""
        );
        for (var i = 0; i <= 4; i++)
        {
            var (bytes, value) = (Math.Exp(least + (most - least) * i / 4), Math.Exp(low + (high - low) * i / 4));
            svg.Append(
                CultureInfo.InvariantCulture,
                $"""<line x1="{X(bytes):F1}" y1="{Top}" x2="{X(bytes):F1}" y2="{Height - Bottom}" stroke="#ddd"/>"""
            );
            svg.Append(
                CultureInfo.InvariantCulture,
                $"""<text x="{X(bytes):F1}" y="{Height - Bottom + 18}" text-anchor="middle">{bytes / 1024:N0} KiB</text>"""
            );
            svg.Append(
                CultureInfo.InvariantCulture,
                $"""<line x1="{Left}" y1="{Y(value):F1}" x2="{Width - Right}" y2="{Y(value):F1}" stroke="#ddd"/>"""
            );
            svg.Append(CultureInfo.InvariantCulture, $"""<text x="{Left - 8}" y="{Y(value) + 4:F1}" text-anchor="end">{value:F3}</text>""");
        }
        // Points lie close together: each has a number, and the list beside them has the names.
        foreach (var (i, (name, bytes, value)) in points.Index())
        {
            double x = X(bytes);
            svg.Append(
                CultureInfo.InvariantCulture,
                $"""<line x1="{x:F1}" y1="{Y(value.Low):F1}" x2="{x:F1}" y2="{Y(value.High):F1}" stroke="#1f5fa8" stroke-width="2"/>"""
            );
            svg.Append(CultureInfo.InvariantCulture, $"""<circle cx="{x:F1}" cy="{Y(value.Value):F1}" r="4" fill="#1f5fa8"/>""");
            svg.Append(
                CultureInfo.InvariantCulture,
                $"""<text x="{x + 6 + 14 * (i % 3):F1}" y="{Y(value.Value) - 6:F1}" fill="#1f5fa8">{i + 1}</text>"""
            );
            svg.Append(
                CultureInfo.InvariantCulture,
                $"""<text x="{Width - Right + 16}" y="{Top + 12 + 24 * i}">{i + 1} {WebUtility.HtmlEncode(name)}</text>"""
            );
        }
        svg.Append(
            CultureInfo.InvariantCulture,
            $"""<text x="{(Left + Width - Right) / 2}" y="{Height - 14}" text-anchor="middle">bytes of the model</text>"""
        );
        svg.Append(
            CultureInfo.InvariantCulture,
            $"""<text x="18" y="{Height / 2}" transform="rotate(-90 18 {Height / 2})" text-anchor="middle">perplexity</text></svg>"""
        );
        return svg.ToString();
    }
}
