using System.Text.Json.Nodes;
using PostTrain.Models;
using PostTrain.Models.Heads;
using PostTrain.Tests.Golden;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Models;

public sealed class RewardModelTests : IDisposable
{
    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    public static TheoryData<string> Cases =>
        [
            .. (GoldenFile.Load("models")?.Cases ?? [])
                .Where(item => item.Kind == "reward_model")
                .Select(item => item.Id)
                // A theory without data fails.
                .DefaultIfEmpty("none"),
        ];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Case_GivesTheReferencesNumbers(string id)
    {
        if (id == "none")
            return;
        using var scope = NewDisposeScope();
        Assert.Single(GoldenFile.Load("models")!.Cases, item => item.Id == id).Run(RewardModelGolden.Run);
    }

    [GoldenFolderFact("models", "llama-reward")]
    public void LoadThenSave_GivesTheReferencesFilesByteForByte()
    {
        var source = Path.Combine(GoldenFile.Directory, "models", "llama-reward");
        using (var model = Pretrained.LoadRewardModel(source))
        {
            Assert.Equal((1, 0), (model.Labels, model.PaddingId));
            Pretrained.Save(model, directory.Path);
        }

        foreach (var file in new[] { "config.json", "model.safetensors" })
            Assert.True(
                File.ReadAllBytes(Path.Combine(source, file)).AsSpan().SequenceEqual(File.ReadAllBytes(directory.File(file))),
                file
            );
        Assert.Equal(2, Directory.GetFileSystemEntries(directory.Path).Length);
        // It is no language model: its head is named as what it is.
        Assert.Contains(
            nameof(Pretrained.LoadRewardModel),
            Assert.Throws<InvalidDataException>(() => Pretrained.Load(source)).Message,
            StringComparison.Ordinal
        );
    }

    // A body that says nothing but the ids, and a head of known numbers: s = (2 id, -id).
    private static SequenceClassifier Counter(int? paddingId = 0)
    {
        using var mode = no_grad();
        var table = arange(8, dtype: ScalarType.Float64).unsqueeze(1).DetachFromDisposeScope();
        var model = SequenceClassifier.For(
            new Rollouts.FixedLogits(table.expand(-1, 1)),
            new ClassifierOptions { Labels = 2, PaddingId = paddingId }
        );
        model.to(ScalarType.Float64);
        model.Head.weight!.copy_(tensor(new[] { 2.0, -1.0 }).unsqueeze(1));
        return model;
    }

    [Fact]
    public void Scores_AreReadWhereTheTwoConventionsSay()
    {
        using var scope = NewDisposeScope();
        using var model = Counter();
        var ids = tensor(
            new long[,]
            {
                { 5, 6, 7, 0 },
                { 0, 3, 4, 5 },
                { 3, 0, 0, 0 },
                { 0, 0, 0, 0 },
            }
        );
        var mask = tensor(
            new long[,]
            {
                { 1, 1, 0, 0 },
                { 0, 1, 1, 1 },
                { 1, 1, 1, 0 },
                { 0, 0, 0, 0 },
            }
        );
        // By id: the last that is not 0, and the first place where all are. By mask: places 1, 3, 2 and 0.
        TensorAssert.Close([14, -7, 10, -5, 6, -3, 0, 0], model.ScoreAtLastNonPadding(ids, mask), 0);
        TensorAssert.Close([14, -7, 10, -5, 6, -3, 0, 0], model.call(ids), 0);
        TensorAssert.Close([12, -6, 10, -5, 0, 0, 0, 0], model.Score(ids, mask), 0);
        TensorAssert.Close([0, 0, 6, -3, 8, -4, 10, -5], model.TokenScores(ids, mask)[1], 0);
    }

    [Fact]
    public void ScoreAtLastNonPadding_WithoutAPaddingId_TakesOneRow()
    {
        using var scope = NewDisposeScope();
        using var model = Counter(paddingId: null);
        TensorAssert.Close(
            [8, -4],
            model.call(
                tensor(
                    new long[,]
                    {
                        { 0, 4 },
                    }
                )
            ),
            0
        );
        Assert.Contains(
            "2 rows",
            Assert.Throws<ArgumentException>(() => model.call(zeros(2, 3, dtype: ScalarType.Int64))).Message,
            StringComparison.Ordinal
        );
        Assert.Throws<ArgumentException>(() => model.Score(zeros(2, 3, dtype: ScalarType.Int64), ones(2, 2)));
    }

    [Theory]
    [InlineData("llama", 1, false, "LlamaForSequenceClassification")]
    [InlineData("gpt2", 3, false, "GPT2ForSequenceClassification")]
    [InlineData("llama", 2, true, "LlamaForTokenClassification")]
    public void OnALanguageModel_SaveThenLoad_GivesTheSameBits(string name, int labels, bool bias, string architecture)
    {
        using var scope = NewDisposeScope();
        var body = TinyModels.Create(TinyModels.Config(name) with { TiedEmbeddings = false, PaddingId = 3 }, ScalarType.Float32);
        using var model = SequenceClassifier.For(
            body,
            new ClassifierOptions
            {
                Labels = labels,
                Bias = bias,
                Head = new HeadOptions { Seed = 5 },
            }
        );
        if (bias)
            using (no_grad())
                model.Head.bias!.copy_(tensor(new[] { 0.5f, -0.25f }));
        Assert.Equal(3, model.PaddingId);
        // The output projection is neither trained nor written.
        Assert.DoesNotContain(model.named_parameters(), parameter => parameter.name.StartsWith("lm_head", StringComparison.Ordinal));
        Pretrained.Save(model, directory.Path, new SaveOptions { MaxShardBytes = 5000 });
        var config = JsonNode.Parse(File.ReadAllText(directory.File("config.json")))!;
        Assert.Equal(architecture, (string)config["architectures"]![0]!);
        Assert.Equal(labels, config["id2label"]!.AsObject().Count);
        Assert.Equal(labels - 1, (int)config["label2id"]![$"LABEL_{labels - 1}"]!);
        Assert.Equal(3, (int)config["pad_token_id"]!);

        using var loaded = Pretrained.LoadRewardModel(directory.Path);
        Assert.Equal(
            model.named_parameters().Select(parameter => parameter.name),
            loaded.named_parameters().Select(parameter => parameter.name)
        );
        Assert.Equal(Toy.Bytes(model), Toy.Bytes(loaded));
        var ids = Numbers.Ids(2, 23, 3, 6);
        TensorAssert.Same(model.call(ids), loaded.call(ids));
    }

    [Fact]
    public void Load_HeadThatDoesNotFit_IsRefused()
    {
        using (var model = SequenceClassifier.For(TinyModels.Create("llama", ScalarType.Float32), new ClassifierOptions { Labels = 2 }))
            Pretrained.Save(model, directory.Path);
        var path = directory.File("config.json");
        File.WriteAllText(
            path,
            File.ReadAllText(path).Replace("\"1\": \"LABEL_1\"", "\"1\": \"good\", \"2\": \"bad\"", StringComparison.Ordinal)
        );
        Assert.Contains(
            "'id2label' is an object of 3 labels, expected 2",
            Assert.Throws<InvalidDataException>(() => Pretrained.LoadRewardModel(directory.Path)).Message,
            StringComparison.Ordinal
        );
        using (var lm = TinyModels.Create("llama", ScalarType.Float32))
            Pretrained.Save(lm, directory.Path);
        Assert.Contains(
            "no tensor 'score.weight' [labels,16]",
            Assert.Throws<InvalidDataException>(() => Pretrained.LoadRewardModel(directory.Path)).Message,
            StringComparison.Ordinal
        );
        Assert.Throws<ArgumentOutOfRangeException>(() => SequenceClassifier.For(Toy.Model(), new ClassifierOptions { Labels = 0 }));
    }

    [Fact]
    public void Training_MovesBodyAndHead_AndLeavesNoTensors()
    {
        using var model = SequenceClassifier.For(Toy.Model(), new ClassifierOptions { PaddingId = 0 });
        using var ids = Numbers.Ids(1, 20, 4, 6);
        using var mask = ones(4, 6);
        // The decoder keeps its tables of positions from the first call on.
        model.TokenScores(ids, mask).Dispose();
        model.TokenScores(ids).Dispose();
        Ownership.Check(() => [model.Score(ids, mask), model.TokenScores(ids, mask), model.ScoreAtLastNonPadding(ids)], ids, mask);
        using var scope = NewDisposeScope();
        model.Score(ids, mask).sum().backward();
        Assert.All(
            model.named_parameters(),
            pair => Assert.True(pair.parameter.grad is { } grad && grad.abs().sum().ToDouble() > 0, pair.name)
        );
    }

    [Fact]
    public void Load_ThatFails_LeavesNoTensors()
    {
        using (var model = SequenceClassifier.For(TinyModels.Create("llama", ScalarType.Float32)))
            Pretrained.Save(model, directory.Path);
        using (var scope = NewDisposeScope())
        {
            var path = directory.File("model.safetensors");
            List<(string, Tensor)> tensors;
            using (var file = SafetensorsFile.Open(path))
                tensors = [.. file.Entries.Select(entry => (entry.Name, file.Read(entry.Name))), ("surplus", ones(2))];
            SafetensorsFile.Write(path, tensors);
        }

        var before = DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount;
        Assert.Contains(
            "'surplus' [2] is unexpected",
            Assert.Throws<InvalidDataException>(() => Pretrained.LoadRewardModel(directory.Path)).Message,
            StringComparison.Ordinal
        );
        Assert.Equal(before, DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount);
    }
}
