using PostTrain.Data;
using PostTrain.Text.Files;
using PostTrain.Training.Diagnostics;

namespace PostTrain.Training.Reports;

/// <summary>A report of a run as one self-contained HTML file without fonts or network access. A small script in the file
/// shows values at the pointer, zooms (drag; double click for the whole run) and switches to a logarithmic axis.</summary>
/// <remarks>Sections appear in the order in which they are added. All text is escaped. The page follows the reader's light or dark setting,
/// fits a telephone and can be printed. Equal input gives equal bytes.</remarks>
/// <example><code>
/// new HtmlReport("GRPO on addition", "300 steps from a base model that misses the format")
///     .Tiles(new SummaryTile("Accuracy", "97.5 %", "from 21.0 %"))
///     .Curves("Training", new CurveChart("Mean reward", "", CurveSeries.Of(reports, "reward/mean")))
///     .Save("artifacts/report.html");
/// </code></example>
public sealed class HtmlReport
{
    private readonly string title;
    private readonly string subtitle;
    private readonly List<Action<Html>> sections = [];
    private IReadOnlyList<string> facts = [];
    private bool hasCharts;

    /// <summary>Creates an empty report.</summary>
    /// <param name="title">The heading of the page and its window title.</param>
    /// <param name="subtitle">A sentence below the heading; may be empty.</param>
    public HtmlReport(string title, string subtitle = "")
    {
        ArgumentNullException.ThrowIfNull(title);
        ArgumentNullException.ThrowIfNull(subtitle);
        (this.title, this.subtitle) = (title, subtitle);
    }

    /// <summary>Sets the line above the title: short texts such as engine, machine, date and seed.</summary>
    public HtmlReport Facts(params IReadOnlyList<string> facts)
    {
        ArgumentNullException.ThrowIfNull(facts);
        this.facts = facts;
        return this;
    }

    /// <summary>Adds a row of key numbers.</summary>
    public HtmlReport Tiles(params IReadOnlyList<SummaryTile> tiles)
    {
        ArgumentNullException.ThrowIfNull(tiles);
        return Add(html =>
        {
            html.Open("dl", ("class", "tiles")).Line();
            foreach (var tile in tiles)
            {
                html.Open("div").Element("dt", tile.Name).Element("dd", tile.Value, ("class", "figure"));
                if (tile.Note is not null)
                    html.Element("dd", tile.Note, ("class", "note"));
                html.Close().Line();
            }

            html.Close();
        });
    }

    /// <summary>Adds a paragraph of text under an optional heading.</summary>
    public HtmlReport Paragraph(string text, string heading = "")
    {
        ArgumentNullException.ThrowIfNull(text);
        return Section(heading, html => html.Element("p", text, ("class", "prose")));
    }

    /// <summary>Adds a table.</summary>
    /// <exception cref="ArgumentException">The number of cells in a row differs from the number of columns.</exception>
    public HtmlReport Table(string heading, ReportTable table)
    {
        ArgumentNullException.ThrowIfNull(table);
        table.Validate(nameof(table));
        return Section(heading, table.WriteTo);
    }

    /// <summary>Adds a list of proportions, each as a bar with its 95 % Wilson interval.</summary>
    public HtmlReport Proportions(string heading, params IReadOnlyList<NamedProportion> rows)
    {
        ArgumentNullException.ThrowIfNull(rows);
        return Section(heading, html => ProportionBars.Write(html, rows));
    }

    /// <summary>Adds the parts of a whole as one bar, each with its share and amount.</summary>
    public HtmlReport Shares(string heading, params IReadOnlyList<NamedShare> parts)
    {
        ArgumentNullException.ThrowIfNull(parts);
        return Section(heading, html => ShareBar.Write(html, parts));
    }

    /// <summary>Adds charts, two side by side if the window is wide.</summary>
    public HtmlReport Curves(string heading, params IReadOnlyList<CurveChart> charts)
    {
        ArgumentNullException.ThrowIfNull(charts);
        hasCharts |= charts.Count > 0;
        return Section(
            heading,
            html =>
            {
                html.Open("div", ("class", "charts")).Line();
                foreach (var chart in charts)
                    Figure(html, chart);
                html.Close();
            }
        );
    }

    /// <summary>Adds a chart of value against cost over the whole width.</summary>
    public HtmlReport Frontier(string heading, FrontierChart chart)
    {
        ArgumentNullException.ThrowIfNull(chart);
        return Section(
            heading,
            html =>
            {
                html.Open("figure").Line();
                FrontierDrawing.Draw(html, chart);
                html.Close().Line();
            }
        );
    }

    /// <summary>Adds diagnostic warnings in the given order; adds nothing if there are none.</summary>
    /// <param name="heading">The section's heading.</param>
    /// <param name="warnings">The warnings, for instance of <see cref="MetricsLog.ReadWarnings"/>.</param>
    /// <param name="folded">True folds them below one line, without the colour of what needs action.</param>
    public HtmlReport Warnings(string heading, IReadOnlyList<Warning> warnings, bool folded = false)
    {
        ArgumentNullException.ThrowIfNull(warnings);
        return warnings.Count == 0
            ? this
            : Section(
                heading,
                html =>
                {
                    if (folded)
                        html.Open("details")
                            .Element(
                                "summary",
                                FormattableString.Invariant($"{warnings.Count} remark{(warnings.Count == 1 ? "" : "s")} on this run")
                            )
                            .Line();
                    foreach (var warning in warnings)
                    {
                        bool needsAction = !folded && warning.Level != DiagnosticLevel.Note;
                        html.Open("article", ("class", needsAction ? "warning" : "warning note")).Open("div", ("class", "label"));
                        html.Element("span", warning.Name, ("class", "name"))
                            .Element("span", FormattableString.Invariant($"step {warning.Step}"))
                            .Close();
                        html.Element("p", warning.Message, ("class", "seen")).Element("p", warning.Advice).Close().Line();
                    }
                    if (folded)
                        html.Close();
                }
            );
    }

    /// <summary>Adds completions before and after training.</summary>
    public HtmlReport Completions(string heading, params IReadOnlyList<CompletionPair> pairs)
    {
        ArgumentNullException.ThrowIfNull(pairs);
        return Section(
            heading,
            html =>
            {
                foreach (var pair in pairs)
                    pair.WriteTo(html);
            }
        );
    }

    /// <summary>Adds names and values, such as the options of the run.</summary>
    public HtmlReport Settings(string heading, IEnumerable<KeyValuePair<string, string>> settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        var rows = settings.ToArray();
        return Section(
            heading,
            html =>
            {
                html.Open("dl", ("class", "settings")).Line();
                foreach (var (name, value) in rows)
                    html.Open("div").Element("dt", name).Element("dd", value).Close().Line();
                html.Close();
            }
        );
    }

    /// <summary>Returns the whole page.</summary>
    public string ToHtml()
    {
        var html = new Html();
        html.Raw("<!DOCTYPE html>\n").Open("html", ("lang", "en")).Line().Open("head").Line();
        html.Empty("meta", ("charset", "utf-8")).Line();
        html.Empty("meta", ("name", "viewport"), ("content", "width=device-width, initial-scale=1")).Line();
        html.Empty("meta", ("name", "color-scheme"), ("content", "light dark")).Line();
        html.Element("title", title).Line().Open("style").Raw(ReportStyle.Css).Close().Line().Close().Line();

        html.Open("body").Line().Open("main").Line().Open("header").Line();
        if (facts.Count > 0)
        {
            html.Open("ul", ("class", "facts"));
            foreach (var fact in facts)
                html.Element("li", fact);
            html.Close().Line();
        }

        html.Element("h1", title).Line();
        if (subtitle.Length > 0)
            html.Element("p", subtitle, ("class", "subtitle")).Line();
        html.Close().Line();
        foreach (var section in sections)
        {
            section(html);
            html.Line();
        }

        html.Close().Line();
        if (hasCharts)
            html.Open("script").Raw(ReportScript.Js).Close().Line();
        return html.Close().Line().Close().Line().ToString();
    }

    /// <summary>Writes the page to a file. On failure an existing file is unchanged.</summary>
    /// <param name="path">The file, commonly <c>report.html</c>. Missing directories are created.</param>
    /// <exception cref="IOException">The file could not be written. An existing file is unchanged.</exception>
    public void Save(string path) => AtomicFile.WriteText(path, ToHtml());

    private HtmlReport Add(Action<Html> section)
    {
        sections.Add(section);
        return this;
    }

    private HtmlReport Section(string heading, Action<Html> content)
    {
        ArgumentNullException.ThrowIfNull(heading);
        return Add(html =>
        {
            html.Open("section").Line();
            if (heading.Length > 0)
                html.Element("h2", heading).Line();
            content(html);
            html.Close();
        });
    }

    private static void Figure(Html html, CurveChart chart)
    {
        html.Open("figure", ("data-chart", CurveDrawing.Data(chart))).Open("figcaption").Element("span", chart.Title, ("class", "title"));
        if (chart.Unit.Length > 0)
            html.Element("span", chart.Unit, ("class", "unit"));
        if (chart.Series.Count > 1)
        {
            html.Open("span", ("class", "legend"));
            for (var i = 0; i < chart.Series.Count; i++)
                html.Element("span", chart.Series[i].Name, ("class", $"key {CurveDrawing.Style('k', i)}"));
            html.Close();
        }
        else if (chart.Series is [{ Points.Count: > 0 } single])
        {
            html.Element("span", Ticks.Short(CurveDrawing.Trend(single.Points)[^1].Value), ("class", "last"), ("title", "at the end"));
        }

        html.Close().Line();
        CurveDrawing.Draw(html, chart);
        html.Close().Line();
    }
}
