namespace PostTrain.Training.Reports;

/// <summary>A table of texts. A column is right-aligned if each of its cells starts like a number.</summary>
/// <param name="Columns">The headings.</param>
/// <param name="Rows">Rows with one cell per column.</param>
public sealed record ReportTable(IReadOnlyList<string> Columns, IReadOnlyList<IReadOnlyList<string>> Rows)
{
    /// <summary>Indices (from 0) of columns that are always left-aligned text.</summary>
    /// <value>The default is empty.</value>
    public IReadOnlyList<int> TextColumns { get; init; } = [];

    internal void WriteTo(Html html)
    {
        var style = Enumerable.Range(0, Columns.Count).Select(c => IsNumeric(c) ? "number" : "text").ToArray();
        html.Open("div", ("class", "scroll")).Open("table").Open("thead").Open("tr");
        for (var c = 0; c < Columns.Count; c++)
            html.Element("th", Columns[c], ("class", style[c]), ("scope", "col"));
        html.Close().Close().Open("tbody").Line();
        foreach (var row in Rows)
        {
            html.Open("tr");
            for (var c = 0; c < Columns.Count; c++)
                html.Element("td", row[c], ("class", style[c]));
            html.Close().Line();
        }

        html.Close().Close().Close().Line();
    }

    internal void Validate(string argument)
    {
        for (var r = 0; r < Rows.Count; r++)
        {
            if (Rows[r].Count != Columns.Count)
                throw new ArgumentException($"row {r} has {Rows[r].Count} cells, expected {Columns.Count}: one per column.", argument);
        }
    }

    private bool IsNumeric(int column) =>
        Rows.Count > 0
        && !TextColumns.Contains(column)
        && Rows.All(row =>
            row[column].TrimStart().TrimStart('+', '-', '−', '±', '<', '>', '≤', '≥', '~') is [>= '0' and <= '9', ..] or "NaN" or "–" or ""
        );
}
