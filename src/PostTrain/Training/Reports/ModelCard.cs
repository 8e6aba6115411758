using System.Globalization;
using System.Text;
using PostTrain.Text.Files;
using YamlDotNet.RepresentationModel;

namespace PostTrain.Training.Reports;

/// <summary>The card of a model: <c>README.md</c> beside its weights, with YAML front matter that the hub reads, and tables of settings and
/// results.</summary>
/// <example><code>
/// Pretrained.Save(model, tokenizer, "out/model");
/// new ModelCard("my-model") { BaseModel = "Qwen/Qwen2.5-0.5B", License = "apache-2.0", Method = "sft" }.Save("out/model");
/// </code></example>
/// <param name="Name">Name of the model, the heading of the card.</param>
public sealed record ModelCard(string Name)
{
    /// <summary>Largest front matter that <see cref="LicenseOf"/> reads, in characters.</summary>
    private const int MaximumFrontMatter = 1 << 20;

    /// <summary>Name on the hub, or directory, of the model that was trained; null if unknown.</summary>
    /// <value>The default is null.</value>
    public string? BaseModel { get; init; }

    /// <summary>True for an adapter, which needs its base model; false for a whole model.</summary>
    /// <value>The default is false.</value>
    public bool IsAdapter { get; init; }

    /// <summary>Identifier of the licence, such as <c>apache-2.0</c>; null writes that none is stated.</summary>
    /// <value>The default is null.</value>
    public string? License { get; init; }

    /// <summary>Method of the training, such as <c>dpo</c>; null if unknown.</summary>
    /// <value>The default is null.</value>
    public string? Method { get; init; }

    /// <summary>Task on the hub.</summary>
    /// <value>The default is <c>text-generation</c>.</value>
    public string Task { get; init; } = "text-generation";

    /// <summary>Names of data sets on the hub.</summary>
    /// <value>The default is empty.</value>
    public IReadOnlyList<string> Datasets { get; init; } = [];

    /// <summary>Codes of the languages, such as <c>en</c>.</summary>
    /// <value>The default is empty.</value>
    public IReadOnlyList<string> Languages { get; init; } = [];

    /// <summary>Further tags.</summary>
    /// <value>The default is empty.</value>
    public IReadOnlyList<string> Tags { get; init; } = [];

    /// <summary>Settings of the training.</summary>
    /// <value>The default is empty.</value>
    public IReadOnlyList<KeyValuePair<string, string>> Settings { get; init; } = [];

    /// <summary>Results, such as the held-out loss before and after.</summary>
    /// <value>The default is empty.</value>
    public IReadOnlyList<KeyValuePair<string, double>> Results { get; init; } = [];

    /// <summary>Paragraphs in Markdown on what the model is for and what it must not be used for; empty for none.</summary>
    /// <value>The default is empty.</value>
    public string Description { get; init; } = "";

    /// <summary>Returns the card of a run's model.</summary>
    /// <param name="name">Name of the model.</param>
    /// <param name="run">The run: its base, data, options and versions become settings.</param>
    public static ModelCard Of(string name, RunDescription run)
    {
        ArgumentNullException.ThrowIfNull(run);
        return new ModelCard(name)
        {
            BaseModel = run.Model,
            Method = run.Method,
            Settings = [.. run.Rows()],
        };
    }

    /// <summary>Returns the licence that the card of a model's directory states.</summary>
    /// <param name="directory">A directory, which may hold <c>README.md</c> with front matter.</param>
    /// <returns>The value of <c>license</c>; null if there is no readable card with one.</returns>
    public static string? LicenseOf(string directory)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        var path = Path.Combine(directory, "README.md");
        if (!File.Exists(path))
            return null;
        try
        {
            using var reader = File.OpenText(path);
            if (reader.ReadLine()?.TrimEnd() != "---")
                return null;
            var front = new StringBuilder();
            while (reader.ReadLine() is { } line && line.TrimEnd() != "---")
                if (front.Append(line).Append('\n').Length > MaximumFrontMatter)
                    return null;
            var yaml = new YamlStream();
            yaml.Load(new StringReader(front.ToString()));
            return
                yaml.Documents is [{ RootNode: YamlMappingNode fields }, ..]
                && fields.Children.TryGetValue(new YamlScalarNode("license"), out var license)
                && license is YamlScalarNode { Value.Length: > 0 } scalar
                ? scalar.Value
                : null;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or YamlDotNet.Core.YamlException)
        {
            return null;
        }
    }

    /// <summary>Returns the card as Markdown.</summary>
    public string ToMarkdown()
    {
        var text = new StringBuilder("---\n").Append(FrontMatter()).Append("---\n\n# ").Append(OneLine(Name)).Append("\n\n");
        text.Append(IsAdapter ? "An adapter" : "A model")
            .Append(BaseModel is null ? "" : $" made from `{OneLine(BaseModel)}`")
            .Append(Method is null ? "" : $" by the method `{OneLine(Method)}`")
            .Append(" with PostTrain.\n\n");
        text.Append(
            License is null
                ? "No licence is stated here. The licence of the base model and of the data applies.\n"
                : $"Licence: {OneLine(License)}. The licence of the base model and of the data applies too.\n"
        );
        if (Description.Length > 0)
            text.Append('\n').Append(Description.Trim()).Append('\n');
        Table(text, "Results", Results.Select(row => KeyValuePair.Create(row.Key, row.Value.ToString("G6", CultureInfo.InvariantCulture))));
        Table(text, "Training", Settings);
        return text.ToString();
    }

    /// <summary>Writes <c>README.md</c> into a directory; an existing one is replaced, and unchanged on failure.</summary>
    /// <param name="directory">The model's directory; created if missing.</param>
    /// <exception cref="IOException">The file could not be written.</exception>
    public void Save(string directory)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        AtomicFile.WriteText(Path.Combine(directory, "README.md"), ToMarkdown());
    }

    private string FrontMatter()
    {
        var fields = new YamlMappingNode();
        if (License is not null)
            fields.Add("license", License);
        if (BaseModel is not null)
        {
            fields.Add("base_model", BaseModel);
            fields.Add("base_model_relation", IsAdapter ? "adapter" : "finetune");
        }
        fields.Add("library_name", IsAdapter ? "peft" : "transformers");
        fields.Add("pipeline_tag", Task);
        List("language", Languages);
        List("datasets", Datasets);
        List("tags", ["posttrain", .. Method is null ? [] : (string[])[Method], .. Tags]);
        using var written = new StringWriter(CultureInfo.InvariantCulture) { NewLine = "\n" };
        new YamlStream(new YamlDocument(fields)).Save(written, assignAnchors: false);
        var text = written.ToString().ReplaceLineEndings("\n");
        return text.EndsWith("...\n", StringComparison.Ordinal) ? text[..^4] : text;

        void List(string name, IReadOnlyList<string> values)
        {
            if (values.Count > 0)
                fields.Add(name, new YamlSequenceNode(values.Select(value => new YamlScalarNode(value))));
        }
    }

    private static void Table(StringBuilder text, string heading, IEnumerable<KeyValuePair<string, string>> rows)
    {
        var cells = rows.ToArray();
        if (cells.Length == 0)
            return;
        text.Append("\n## ").Append(heading).Append("\n\n| | |\n| --- | --- |\n");
        foreach (var (name, value) in cells)
            text.Append("| ").Append(Cell(name)).Append(" | ").Append(Cell(value)).Append(" |\n");
    }

    private static string Cell(string text) => OneLine(text).Replace("|", "\\|", StringComparison.Ordinal);

    private static string OneLine(string text) => text.ReplaceLineEndings(" ").Trim();
}
