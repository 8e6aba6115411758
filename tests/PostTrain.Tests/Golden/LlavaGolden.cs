using PostTrain.Models;
using PostTrain.Rollouts;
using PostTrain.Tests.Support;
using PostTrain.Vision;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Golden;

/// <summary>llava.json: checkpoints as transformers writes them, and what it computes with their pictures.</summary>
internal static class LlavaGolden
{
    // On the logits of a whole model in float32.
    private const double Tolerance = 1e-4;

    internal static IReadOnlyDictionary<string, GoldenKind> Kinds { get; } = new Dictionary<string, GoldenKind> { ["llava"] = new(Run) };

    private static void Run(GoldenCase item)
    {
        string directory = Path.Combine(GoldenFile.Directory, item.Text("dir")!);
        using var model = Llava.Load(directory);
        Check(model, item);
        using var folder = new TemporaryDirectory();
        Llava.Save(model, folder.Path);
        using var again = Llava.Load(folder.Path);
        Assert.Equal(Toy.Bytes(model), Toy.Bytes(again));
        Check(again, item);
        // The settings of the file are written back.
        Assert.Equal(
            Sorted(File.ReadAllText(Path.Combine(directory, "config.json"))),
            Sorted(File.ReadAllText(folder.File("config.json")))
        );
    }

    private static void Check(VisionLm model, GoldenCase item)
    {
        var (pictures, ids) = (item.Input("pixels"), item.Input("input_ids"));
        model.Show(pictures);
        using var mode = no_grad();
        TensorAssert.Close(item.Expected("features"), model.Projector.call(model.Encoder.call(pictures)), Tolerance, "features");
        var own = Own(model, ids);
        TensorAssert.Close(item.Expected("logits"), model.call(own), Tolerance, "logits");

        long[] generated = item.Expected("generated").data<long>().ToArray();
        int added = (int)item.Parameter("new_tokens", 0);
        using var drawn = Sampler.Generate(
            model,
            [
                [.. own[0].data<long>().Select(id => (int)id)],
            ],
            new SamplingOptions { Temperature = 0, MaxNewTokens = added },
            0,
            0
        );
        Assert.Equal(generated[^added..].Select(id => (int)id), drawn.Completions[0]);
    }

    // Row i shows picture i: its vectors' ids in place of the one that stands for all.
    private static Tensor Own(VisionLm model, Tensor ids)
    {
        var rows = new List<long>();
        for (int row = 0; row < ids.shape[0]; row++)
        {
            long next = model.VocabularySize + row * model.FeatureCount;
            foreach (long id in ids[row].data<long>())
                rows.Add(id == model.ImageTokenId ? next++ : id);
            Assert.Equal(model.VocabularySize + (row + 1) * model.FeatureCount, next);
        }
        return tensor(rows.ToArray()).reshape(ids.shape);
    }

    private static string[] Sorted(string json) =>
        [.. json.Split('\n').Select(line => line.Trim().TrimEnd(',')).Order(StringComparer.Ordinal)];
}
