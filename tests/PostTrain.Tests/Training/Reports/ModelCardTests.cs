using PostTrain.Supervised;
using PostTrain.Tests.Support;
using PostTrain.Training;
using PostTrain.Training.Reports;
using YamlDotNet.RepresentationModel;

namespace PostTrain.Tests.Training.Reports;

public sealed class ModelCardTests : IDisposable
{
    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    [Fact]
    public void FrontMatter_IsYamlOfItsFields()
    {
        var card = new ModelCard("mine: \"quoted\"")
        {
            BaseModel = "org/base: 1",
            License = "apache-2.0",
            Method = "dpo",
            IsAdapter = true,
            Languages = ["en", "de"],
            Datasets = ["org/data"],
            Tags = ["- tricky: tag"],
        };
        var fields = Front(card.ToMarkdown());
        Assert.Equal("apache-2.0", Scalar(fields, "license"));
        Assert.Equal("org/base: 1", Scalar(fields, "base_model"));
        Assert.Equal("adapter", Scalar(fields, "base_model_relation"));
        Assert.Equal("peft", Scalar(fields, "library_name"));
        Assert.Equal("text-generation", Scalar(fields, "pipeline_tag"));
        Assert.Equal(["posttrain", "dpo", "- tricky: tag"], List(fields, "tags"));
        Assert.Equal(["en", "de"], List(fields, "language"));
        Assert.Equal(["org/data"], List(fields, "datasets"));
    }

    [Fact]
    public void UnknownFields_AreAbsent()
    {
        var fields = Front(new ModelCard("mine").ToMarkdown());
        Assert.Equal(["library_name", "pipeline_tag", "tags"], fields.Children.Keys.Select(key => ((YamlScalarNode)key).Value!).Order());
    }

    [Fact]
    public void Body_HasResultsAndSettings_OnOneLineEach()
    {
        var text = (
            new ModelCard("mine")
            {
                Settings = [new("template", "a | b\nc")],
                Results = [new("loss, before", 1.25), new("loss, after", 0.5)],
            }
        ).ToMarkdown();
        Assert.Contains("| template | a \\| b c |\n", text, StringComparison.Ordinal);
        Assert.Contains("| loss, before | 1.25 |\n| loss, after | 0.5 |\n", text, StringComparison.Ordinal);
        Assert.Contains("No licence is stated here.", text, StringComparison.Ordinal);
    }

    [Fact]
    public void License_IsReadBack()
    {
        (new ModelCard("mine") { License = "mit" }).Save(directory.Path);
        Assert.Equal("mit", ModelCard.LicenseOf(directory.Path));
    }

    [Theory]
    [InlineData("no front matter")]
    [InlineData("---\nlicense: [a, b]\n---\n")]
    [InlineData("---\nlicense: \"open\n---\n")]
    [InlineData("---\n- list\n---\n")]
    [InlineData("---\nother: x\n---\n")]
    [InlineData("---\n&a [*a]\n---\n")]
    [InlineData("")]
    public void License_OfOtherFiles_IsNull(string text)
    {
        directory.Write("README.md", text);
        Assert.Null(ModelCard.LicenseOf(directory.Path));
        Assert.Null(ModelCard.LicenseOf(directory.File("nowhere")));
    }

    [Fact]
    public void Description_NamesOptions_AndNoObjects()
    {
        var options = new SftOptions
        {
            Steps = 7,
            LearningRate = 2.5e-4,
            Seed = 3,
            Packing = true,
            Observers = [new TrainingDiagnosticsProbe()],
            LearningRateFactor = _ => 1,
        };
        var run = RunDescription.Of("sft", options) with { Model = "base", Data = "data.jsonl" };
        var rows = run.Rows().ToDictionary();
        Assert.Equal(("7", "0.00025", "true", "3"), (rows["Steps"], rows["LearningRate"], rows["Packing"], rows["seed"]));
        Assert.Equal(("base", "data.jsonl", "sft"), (rows["model"], rows["data"], rows["method"]));
        Assert.DoesNotContain(nameof(TrainingOptions.Observers), rows.Keys);
        Assert.DoesNotContain(nameof(TrainingOptions.LearningRateFactor), rows.Keys);
        Assert.Contains("TorchSharp", rows["engine"], StringComparison.Ordinal);

        SummaryFile.Write(directory.File("summary.json"), run, new Dictionary<string, object> { ["loss_after"] = 0.5 });
        var settings = SummaryFile.Settings(directory.File("summary.json"));
        Assert.Equal(("sft", "base", "7", "3"), (settings["method"], settings["model"], settings["Steps"], settings["seed"]));
        Assert.DoesNotContain("loss_after", settings.Keys);
        Assert.Equal("sft", ModelCard.Of("mine", run).Method);
    }

    // The digests of "abc" and of nothing are FIPS 180-4's.
    [Fact]
    public void Digest_IsSha256_AndOfADirectoryDependsOnNames()
    {
        directory.Write("abc", "abc");
        Assert.Equal("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", RunDescription.DigestOf(directory.File("abc")));
        Assert.Equal(
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            RunDescription.DigestOf(directory.Write("empty", ""))
        );
        var first = RunDescription.DigestOf(directory.Path);
        File.Move(directory.File("abc"), directory.File("abd"));
        Assert.NotEqual(first, RunDescription.DigestOf(directory.Path));
        Assert.Throws<FileNotFoundException>(() => RunDescription.DigestOf(directory.File("nowhere")));
    }

    private static YamlMappingNode Front(string card)
    {
        var parts = card.Split("---\n", 3);
        Assert.Equal("", parts[0]);
        var yaml = new YamlStream();
        yaml.Load(new StringReader(parts[1]));
        return (YamlMappingNode)yaml.Documents.Single().RootNode;
    }

    private static string? Scalar(YamlMappingNode fields, string name) => ((YamlScalarNode)fields[name]).Value;

    private static IEnumerable<string?> List(YamlMappingNode fields, string name) =>
        ((YamlSequenceNode)fields[name]).Children.Select(item => ((YamlScalarNode)item).Value);

    private sealed class TrainingDiagnosticsProbe : IProgress<StepReport>
    {
        public void Report(StepReport value) { }
    }
}
