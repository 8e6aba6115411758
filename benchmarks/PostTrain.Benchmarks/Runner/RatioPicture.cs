using System.Globalization;
using System.Security;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace PostTrain.Benchmarks.Runner;

/// <summary>Draws the ratios of a file of result lines: a bar for each row on a logarithmic scale, from the peer's speed on, with its
/// quartiles.</summary>
internal static class RatioPicture
{
    private const double Width = 940,
        Left = 310,
        Right = 70,
        Line = 19,
        Top = 34,
        Bottom = 30;

    private static readonly double[] Marks = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];

    // Name, its median ratio and the quartiles.
    private sealed record Row(string Name, double Ratio, double Low, double High);

    /// <summary>Writes the picture of the newest line of each row that has a ratio to a peer.</summary>
    /// <param name="results">Lines of JSON.</param>
    /// <param name="picture">The SVG file.</param>
    /// <exception cref="FormatException">The file has no such line, or one that is no result.</exception>
    public static void Draw(string results, string picture)
    {
        var rows = new Dictionary<string, Row>();
        foreach (string line in File.ReadLines(results).Where(line => line.Length > 0))
        {
            var item = Parsed(line, results);
            if (item["peer"] is null || item["ratio"] is null)
                continue;
            var row = RowOf(item, results);
            // The newest stands where the first stood.
            rows[row.Name] = row;
        }
        if (rows.Count == 0)
            throw new FormatException($"{results} holds no ratio to a peer");
        File.WriteAllText(picture, Svg([.. rows.Values]));
    }

    private static JsonObject Parsed(string line, string file)
    {
        try
        {
            return JsonNode.Parse(line) as JsonObject ?? throw new FormatException($"{file} holds a line that is no result: {line}");
        }
        catch (JsonException error)
        {
            throw new FormatException($"{file} holds a line that is no JSON: {error.Message}", error);
        }
    }

    private static Row RowOf(JsonObject item, string file)
    {
        double Number(JsonNode? node) =>
            node is JsonValue value && value.TryGetValue(out double number) && number > 0
                ? number
                : throw new FormatException($"{file} holds a ratio that is no number above 0");
        string type = item["dtype"]?.ToString() == "bfloat16" ? ", bfloat16" : "";
        string threads = item["threads"]?.ToString() is { } count and not "1" ? $", {count} threads" : "";
        var quartiles = item["ratio_quartiles"] as JsonArray;
        double ratio = Number(item["ratio"]);
        return new Row(
            $"{item["id"]} {item["size"]}{type}{threads}",
            ratio,
            quartiles is { Count: 2 } ? Number(quartiles[0]) : ratio,
            quartiles is { Count: 2 } ? Number(quartiles[1]) : ratio
        );
    }

    private static string Svg(Row[] rows)
    {
        double least = Math.Min(0.5, rows.Min(row => row.Low)),
            most = Math.Max(2, rows.Max(row => row.High));
        double height = Top + Line * rows.Length + Bottom;
        double X(double ratio) => Left + (Width - Left - Right) * Math.Log(ratio / least) / Math.Log(most / least);
        var svg = new StringBuilder();
        void Add(FormattableString text) => svg.AppendLine(text.ToString(CultureInfo.InvariantCulture));
        Add($"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {Width} {height}\" font-family=\"sans-serif\" font-size=\"12\">");
        Add($"<rect width=\"{Width}\" height=\"{height}\" fill=\"white\"/>");
        Add($"<text x=\"{Left}\" y=\"16\" font-weight=\"bold\">Times as fast as the peer: median and quartiles</text>");
        foreach (double mark in Marks.Where(mark => mark >= least && mark <= most))
        {
            string stroke = mark == 1 ? "#444" : "#ddd";
            Add($"<line x1=\"{X(mark):F1}\" x2=\"{X(mark):F1}\" y1=\"{Top - 6}\" y2=\"{height - Bottom + 4}\" stroke=\"{stroke}\"/>");
            Add($"<text x=\"{X(mark):F1}\" y=\"{height - 10}\" text-anchor=\"middle\" fill=\"#444\">{mark}</text>");
        }
        for (int i = 0; i < rows.Length; i++)
        {
            var row = rows[i];
            double middle = Top + Line * (i + 0.5),
                start = Math.Min(X(1), X(row.Ratio)),
                length = Math.Abs(X(row.Ratio) - X(1));
            string fill = row.Ratio >= 1 ? "#4c78a8" : "#e07b39";
            Add($"<text x=\"{Left - 8}\" y=\"{middle + 4:F1}\" text-anchor=\"end\">{SecurityElement.Escape(row.Name)}</text>");
            Add($"<rect x=\"{start:F1}\" y=\"{middle - 6:F1}\" width=\"{length:F1}\" height=\"12\" fill=\"{fill}\"/>");
            Add($"<line x1=\"{X(row.Low):F1}\" x2=\"{X(row.High):F1}\" y1=\"{middle:F1}\" y2=\"{middle:F1}\" stroke=\"#222\"/>");
            double end = Math.Max(X(1), X(row.High)) + 6;
            Add($"<text x=\"{end:F1}\" y=\"{middle + 4:F1}\">{row.Ratio:G3}</text>");
        }
        svg.AppendLine("</svg>");
        return svg.ToString();
    }
}
