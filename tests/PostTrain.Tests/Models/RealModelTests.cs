using System.Text.Json;
using PostTrain.Models;
using PostTrain.Rollouts;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Models;

/// <summary>Two real pretrained models against float64 references: greedy texts, their log-probs and the best logits.</summary>
public sealed class RealModelTests
{
    private static IEnumerable<JsonElement> Cases(string name)
    {
        using var json = JsonDocument.Parse(File.ReadAllBytes(RealModels.PathOf("golden.json")));
        return json.RootElement.Clone().GetProperty(name).EnumerateArray();
    }

    private static int[] Ids(JsonElement item, string field) => [.. item.GetProperty(field).EnumerateArray().Select(id => id.GetInt32())];

    [RealModelFact]
    public void CraftGpt_ContinuesAsTheReference() =>
        Check("craftgpt-5m", "craftgpt-5m", stop: [0], suppressed: [.. Enumerable.Range(1906, 14)], padding: 1906);

    [RealModelFact]
    public void Stories_ContinuesAsTheReference() => Check("stories260K-hf", "stories260K", stop: [1, 2], suppressed: [], padding: 0);

    private static void Check(string directory, string name, int[] stop, int[] suppressed, int padding)
    {
        using var scope = NewDisposeScope();
        using var model = Pretrained.Load(RealModels.PathOf(directory));
        var cases = Cases(name).ToList();
        Assert.NotEmpty(cases);
        foreach (var item in cases)
        {
            var prompt = Ids(item, "ids");
            var logits = model.call(tensor(prompt.Select(id => (long)id).ToArray(), [1, prompt.Length])).select(1, prompt.Length - 1);
            var (values, ids) = logits.topk(5);
            var top = item.GetProperty("last_logits_top5")
                .EnumerateArray()
                .Select(pair => (pair[0].GetInt64(), pair[1].GetDouble()))
                .ToList();
            Assert.Equal(top.Select(pair => pair.Item1), ids.data<long>().ToArray());
            TensorAssert.Close([.. top.Select(pair => pair.Item2)], values, 1e-4);
        }

        // All prompts in one batch: padding and the cache change nothing.
        var options = new SamplingOptions
        {
            Temperature = 0,
            MaxNewTokens = cases.Max(item => Ids(item, "greedy").Length),
            StopTokens = stop,
            SuppressedTokens = suppressed,
        };
        using var batch = Sampler.Generate(model, [.. cases.Select(item => Ids(item, "ids"))], options, seed: 0, paddingId: padding);
        for (var row = 0; row < cases.Count; row++)
        {
            var expected = Ids(cases[row], "greedy");
            Assert.Equal(expected, batch.Completions[row].Take(expected.Length));
            if (!cases[row].TryGetProperty("greedy_logprobs", out var logProbs))
                continue;
            TensorAssert.Close(
                [.. logProbs.EnumerateArray().Select(value => value.GetDouble())],
                batch.LogProbs[row].narrow(0, 0, expected.Length),
                1e-4
            );
        }
    }

    [RealModelFact]
    public void CraftGpt_SavedWholeAndInShards_GivesTheSameBits() => SaveAndLoad("craftgpt-5m", 4_000_000);

    [RealModelFact]
    public void Stories_SavedWholeAndInShards_GivesTheSameBits() => SaveAndLoad("stories260K-hf", 200_000);

    private static void SaveAndLoad(string name, long maximum)
    {
        using var scope = NewDisposeScope();
        using var directory = new TemporaryDirectory();
        using var model = Pretrained.Load(RealModels.PathOf(name));
        var ids = Numbers.Ids(1, 400, 2, 20);
        var logits = model.call(ids);
        foreach (var limit in new[] { SaveOptions.DefaultMaxShardBytes, maximum })
        {
            Pretrained.Save(model, directory.Path, new SaveOptions { MaxShardBytes = limit });
            using var loaded = Pretrained.Load(directory.Path);
            Assert.Equal(Toy.Bytes(model), Toy.Bytes(loaded));
            TensorAssert.Same(logits, loaded.call(ids));
            if (limit == maximum)
                continue;
            // Every tensor of the original, and no other, with the same bytes.
            using var original = SafetensorsFile.Open(RealModels.PathOf(name, "model.safetensors"));
            using var written = SafetensorsFile.Open(directory.File("model.safetensors"));
            Assert.Equal(
                original.Entries.Select(entry => entry.Name).Order(StringComparer.Ordinal),
                written.Entries.Select(entry => entry.Name).Order(StringComparer.Ordinal)
            );
            Assert.All(
                original.Entries,
                entry => Assert.True(original.Read(entry.Name).bytes.SequenceEqual(written.Read(entry.Name).bytes), entry.Name)
            );
        }

        Assert.True(Directory.GetFiles(directory.Path, "model-*.safetensors").Length > 3);
    }
}
