using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using PostTrain.Text;
using Xunit.Abstractions;

namespace PostTrain.Tests.Text;

public sealed class TokenizerJsonFuzzTests(ITestOutputHelper output)
{
    private const string Text = "Hello wörld,  it's <|im_end|> 12 345\n\n▁x 😀e\u0301 ";

    private static int Count =>
        int.TryParse(Environment.GetEnvironmentVariable("POSTTRAIN_FUZZ"), CultureInfo.InvariantCulture, out int count) ? count : 1000;

    [Fact]
    public void MutatedFiles_LoadOrAreRefused_AndEncodeOrRefuse()
    {
        byte[][] files =
        [
            .. new[] { "bpe-gpt2", "bpe-llama3", "bpe-qwen2", "sp-bpe", "sp-metaspace" }.Select(name =>
                File.ReadAllBytes(Path.Combine(GoldenTokenizers.Directory(name), TokenizerJson.FileName))
            ),
            .. TokenizerJsonSamples.All.Values,
        ];
        var random = new Random(9);
        var watch = Stopwatch.StartNew();
        var slowest = TimeSpan.Zero;
        long allocated = 0;
        int loaded = 0,
            refused = 0,
            unencodable = 0;
        for (int i = 0; i < Count; i++)
        {
            byte[] file = files[i % files.Length];
            byte[] mutated = i % 2 == 0 ? Mutations.Mutate(file, random) : Rearranged(file, random);
            var start = watch.Elapsed;
            long before = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                var tokenizer = TokenizerJson.Parse(mutated);
                loaded++;
                tokenizer.Decode(tokenizer.EncodeWithOffsets(Text, addSpecialTokens: true).Ids, skipSpecialTokens: false);
            }
            catch (InvalidDataException)
            {
                refused++;
            }
            catch (ArgumentException)
            {
                unencodable++;
            }

            allocated = Math.Max(allocated, GC.GetAllocatedBytesForCurrentThread() - before);
            var took = watch.Elapsed - start;
            if (took > slowest)
                slowest = took;
        }

        output.WriteLine(
            $"{loaded} loaded, {refused} refused, {unencodable} loaded but refused the text; slowest "
                + $"{slowest.TotalMilliseconds:F0} ms, at most {allocated >> 20} MiB allocated"
        );
        Assert.True(loaded > Count / 20 && refused > Count / 20, $"{loaded} loaded, {refused} refused");
        Assert.True(slowest < TimeSpan.FromSeconds(30), $"one took {slowest}");
        Assert.True(allocated < 256 << 20, $"one allocated {allocated} bytes");
    }

    [Fact]
    public void MutatedConfigurations_LoadOrAreRefused()
    {
        byte[] file = File.ReadAllBytes(Path.Combine(GoldenTokenizers.Directory("bpe-llama3"), TokenizerConfig.FileName));
        Mutations.LoadOrRefuse(file, 10, mutated => TokenizerConfig.Parse(mutated, "x"));
    }

    // Puts one value of the file, or one of another type, in the place of another.
    private static byte[] Rearranged(byte[] file, Random random)
    {
        var root = JsonNode.Parse(file)!.AsObject();
        var places = new List<(JsonNode Parent, string? Name, int Index)>();
        Collect(root, places, random);
        for (int changes = random.Next(1, 3); changes > 0; changes--)
        {
            var (parent, name, index) = places[random.Next(places.Count)];
            var value = random.Next(3) == 0 ? Value(random) : Get(places[random.Next(places.Count)])?.DeepClone();
            if (parent is JsonObject target)
                target[name!] = value;
            else if (index < parent.AsArray().Count)
                parent.AsArray()[index] = value;
        }

        return System.Text.Encoding.UTF8.GetBytes(root.ToJsonString());
    }

    private static JsonNode? Value(Random random) =>
        random.Next(9) switch
        {
            0 => null,
            1 => JsonValue.Create(-1),
            2 => JsonValue.Create(int.MaxValue),
            3 => JsonValue.Create(1e300),
            4 => JsonValue.Create(""),
            5 => JsonValue.Create("(a*)*b"),
            6 => new JsonArray(),
            7 => new JsonObject(),
            _ => JsonValue.Create(true),
        };

    private static JsonNode? Get((JsonNode Parent, string? Name, int Index) place) =>
        place.Parent is JsonObject parent ? parent[place.Name!]
        : place.Index < place.Parent.AsArray().Count ? place.Parent.AsArray()[place.Index]
        : null;

    // All of the structure, but only some of the vocabulary and merges.
    private static void Collect(JsonNode node, List<(JsonNode, string?, int)> places, Random random)
    {
        if (node is JsonObject item)
        {
            foreach (var (name, value) in item)
            {
                if (item.Count > 40 && random.Next(item.Count) > 10)
                    continue;
                places.Add((node, name, -1));
                if (value is not null)
                    Collect(value, places, random);
            }
        }
        else if (node is JsonArray array)
        {
            for (int i = 0; i < array.Count; i++)
            {
                if (array.Count > 40 && random.Next(array.Count) > 10)
                    continue;
                places.Add((node, null, i));
                if (array[i] is { } value)
                    Collect(value, places, random);
            }
        }
    }
}
