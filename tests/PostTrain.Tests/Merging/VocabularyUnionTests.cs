using PostTrain.Merging;
using PostTrain.Models;
using PostTrain.Tests.Golden;
using PostTrain.Tests.Models;
using PostTrain.Tests.Support;
using PostTrain.Text;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Merging;

/// <summary>Models of different vocabularies: rows follow their tokens.</summary>
public sealed class VocabularyUnionTests : IDisposable
{
    private readonly DisposeScope scope = NewDisposeScope();
    private readonly TemporaryDirectory folder = new();

    public void Dispose()
    {
        scope.Dispose();
        folder.Dispose();
    }

    private string Save(string name, ulong seed, int vocabulary)
    {
        var config = TinyModels.Config("llama") with
        {
            VocabularySize = vocabulary,
            TiedEmbeddings = true,
            Attention = [new AttentionSpec()],
        };
        using var model = Decoder.Create(config, seed, ScalarType.Float64);
        Pretrained.Save(model, folder.File(name));
        return folder.File(name);
    }

    private static Tensor Embeddings(string directory)
    {
        using var model = Pretrained.Load(directory);
        return model.TokenEmbeddings.detach().clone();
    }

    [Fact]
    public void Characters_AreUnitedByToken()
    {
        // Ids: <pad> <eos> [named tokens] characters. The second has another order, and more rows than tokens.
        var (a, b) = (Save("a", 1, 6), Save("b", 2, 9));
        new CharacterTokenizer("abcd").Save(a);
        new CharacterTokenizer("xcba", ["<hi>"]).Save(b);
        var config = new MergeConfig
        {
            Method = MergeMethod.Linear,
            Models = [new(a), new(b)],
            Vocabulary = VocabularyMerge.Union,
        };
        ModelMerger.Run(config, folder.File("out"));
        var tokenizer = (CharacterTokenizer)TokenizerFiles.Load(folder.File("out"));
        Assert.Equal("abcdx", tokenizer.Alphabet);
        Assert.Equal(["<pad>", "<eos>", "<hi>"], tokenizer.SpecialTokens);
        var (first, second, merged) = (Embeddings(a), Embeddings(b), Embeddings(folder.File("out")));
        Assert.Equal(8, merged.size(0));
        var own = TokenizerFiles.Load(a);
        var their = TokenizerFiles.Load(b);
        foreach (var text in (string[])["a", "b", "c"])
            TensorAssert.Close(
                (first[own.Encode(text)[0]] + second[their.Encode(text)[0]]) / 2,
                merged[tokenizer.Encode(text)[0]],
                1e-12,
                text
            );
        // A token of one model alone has that model's row.
        TensorAssert.Close(first[own.Encode("d")[0]], merged[tokenizer.Encode("d")[0]], 1e-12);
        TensorAssert.Close(second[their.Encode("x")[0]], merged[tokenizer.Encode("x")[0]], 1e-12);
        TensorAssert.Close(second[their.Encode("<hi>")[0]], merged[tokenizer.Encode("<hi>")[0]], 1e-12);
        using var model = Pretrained.Load(folder.File("out"));
        Assert.Equal(8, model.VocabularySize);
    }

    [Fact]
    public void BytePairs_AreUnitedByToken_AndTextsOfBothAreRead()
    {
        var source = Path.Combine(GoldenFile.Directory, "tokenizers", "bpe-gpt2");
        var whole = TokenizerJson.Load(source);
        // The second tokenizer lacks the first one's last merges, and has a token of its own.
        var (a, b) = (Save("a", 1, whole.VocabularySize), folder.File("b"));
        File.Copy(Path.Combine(source, "tokenizer.json"), Path.Combine(a, "tokenizer.json"));
        var root = System.Text.Json.Nodes.JsonNode.Parse(File.ReadAllText(Path.Combine(source, "tokenizer.json")))!;
        var vocabulary = root["model"]!["vocab"]!.AsObject();
        // Added tokens that the model does not know would take other ids once it has more tokens.
        for (var id = 0; id < whole.VocabularySize; id++)
            vocabulary[whole.TokenOf(id)!] = id;
        vocabulary["qqzz"] = whole.VocabularySize;
        vocabulary["qq"] = whole.VocabularySize + 1;
        vocabulary["zz"] = whole.VocabularySize + 2;
        var merges = root["model"]!["merges"]!.AsArray();
        foreach (var (left, right) in new[] { ("q", "q"), ("z", "z"), ("qq", "zz") })
            merges.Add(
                merges[0] is System.Text.Json.Nodes.JsonArray
                    ? new System.Text.Json.Nodes.JsonArray(left, right)
                    : System.Text.Json.Nodes.JsonValue.Create($"{left} {right}")
            );
        Save("b", 2, whole.VocabularySize + 3);
        File.WriteAllText(Path.Combine(b, "tokenizer.json"), root.ToJsonString());
        var their = TokenizerJson.Load(b);
        var config = new MergeConfig
        {
            Method = MergeMethod.TaskArithmetic,
            Base = a,
            Models = [new(b)],
            Vocabulary = VocabularyMerge.Union,
        };
        ModelMerger.Run(config, folder.File("out"));
        var united = TokenizerJson.Load(folder.File("out"));
        Assert.Equal(whole.VocabularySize + 3, united.VocabularySize);
        foreach (var text in (string[])["The quick brown fox", "qqzz 12", " a  b\n"])
            Assert.Equal(text, united.Decode(united.Encode(text)));
        Assert.Equal(whole.Encode("The quick brown fox"), united.Encode("The quick brown fox"));
        Assert.Equal([united.IdOf("qqzz")!.Value], united.Encode("qqzz"));
        var (second, merged) = (Embeddings(b), Embeddings(folder.File("out")));
        foreach (var token in (string[])["qqzz", "qq", whole.TokenOf(300)!])
            TensorAssert.Close(second[their.IdOf(token)!.Value], merged[united.IdOf(token)!.Value], 1e-12, token);
    }

    [Fact]
    public void KindsThatCannotBeUnited_AreRefusedByName()
    {
        var (a, b) = (Save("a", 1, 6), Save("b", 2, 700));
        new CharacterTokenizer("abcd").Save(a);
        File.Copy(Path.Combine(GoldenFile.Directory, "tokenizers", "bpe-gpt2", "tokenizer.json"), Path.Combine(b, "tokenizer.json"));
        var config = new MergeConfig
        {
            Method = MergeMethod.Linear,
            Models = [new(a), new(b)],
            Vocabulary = VocabularyMerge.Union,
        };
        var message = Assert.Throws<NotSupportedException>(() => ModelMerger.Run(config, folder.File("out"))).Message;
        Assert.Contains("cannot be united", message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(folder.File("out")));
    }
}
