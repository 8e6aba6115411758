using PostTrain.Adapters;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Refinement.Restarts;
using PostTrain.Supervised;
using PostTrain.Tests.Models;
using PostTrain.Tests.Support;
using PostTrain.Tests.Text;
using PostTrain.Text;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Refinement;

public sealed class MetaActionsTests
{
    private static readonly MetaActions Actions = new();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void AddTo_AddsRowsAtTheEnd_AndChangesNoOtherBit(bool tied)
    {
        using var scope = NewDisposeScope();
        using var model = Model(tied);
        var (grown, tokenizer) = Actions.AddTo(model, Toy.Tokenizer, seed: 3);
        using var _ = grown;
        Assert.Equal(23, grown.VocabularySize);
        Assert.Equal(23, tokenizer.VocabularySize);
        var old = model.named_parameters().ToDictionary(item => item.name, item => (Tensor)item.parameter);
        foreach (var (name, parameter) in grown.named_parameters())
        {
            bool grows = name is "model.embed_tokens.weight" or "lm_head.weight";
            Assert.Equal(grows ? [23, 16] : old[name].shape, parameter.shape);
            TensorAssert.Same(old[name], grows ? parameter.narrow(0, 0, 20) : parameter, name);
            if (!grows)
                continue;
            // The mean of the old rows, within six standard deviations of the noise, and three different rows.
            var (mean, deviation) = (old[name].mean([0L]), old[name].std(0L));
            var off = (parameter.narrow(0, 20, 3) - mean) / deviation;
            Assert.InRange(off.abs().max().ToDouble(), 1e-4, 0.06);
            Assert.True((parameter[20] - parameter[21]).abs().max().ToDouble() > 0);
        }
        var ids = tensor(Toy.Tokenizer.Encode("1+2=3").Select(id => (long)id).ToArray()).unsqueeze(0);
        TensorAssert.Close(model.call(ids), grown.call(ids).narrow(2, 0, 20), 1e-6);
        // Old texts keep their ids; each action is one id and is spelled again.
        Assert.Equal(Toy.Tokenizer.Encode("1+2="), tokenizer.Encode("1+2="));
        Assert.Equal([20, 21, 22], tokenizer.Encode(string.Concat(Actions.Tokens)));
        Assert.Equal("1<|reflect|>2", tokenizer.Decode(tokenizer.Encode("1<|reflect|>2")));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Rows_TrainsTheNewRowsAndNothingElse(bool tied)
    {
        using var scope = NewDisposeScope();
        using var model = Model(tied);
        var (grown, tokenizer) = Actions.AddTo(model, Toy.Tokenizer);
        using var _ = grown;
        var before = grown.named_parameters().ToDictionary(item => item.name, item => item.parameter.detach().clone());
        using var folder = new TemporaryDirectory();
        Tensor logits;
        var ids = tensor(tokenizer.Encode("1<|continue|>2<|reflect|>").Select(id => (long)id).ToArray()).unsqueeze(0);
        using (var adapted = AdaptedModel.Attach(grown, Actions.Rows(grown, tokenizer)))
        {
            Assert.Equal((tied ? 1 : 2) * 3 * 16, adapted.TrainableCount);
            using (
                var trainer = new SftTrainer(
                    grown,
                    tokenizer,
                    new SftOptions
                    {
                        Steps = 5,
                        BatchSize = 2,
                        LearningRate = 1e-2,
                    }
                )
            )
            {
                var losses = trainer
                    .Run([new("1+", "<|continue|>2<|reflect|>3"), new("2+", "<|continue|>3<|explore|>1")])
                    .Select(report => report.Loss)
                    .ToArray();
                Assert.True(losses[^1] < losses[0], string.Join(' ', losses));
            }
            logits = grown.call(ids);
            adapted.Save(folder.Path);
            adapted.MergeAndDispose();
        }
        TensorAssert.Close(logits, grown.call(ids), 1e-6);
        foreach (var (name, parameter) in grown.named_parameters())
        {
            bool grows = name is "model.embed_tokens.weight" or "lm_head.weight";
            TensorAssert.Same(grows ? before[name].narrow(0, 0, 20) : before[name], grows ? parameter.narrow(0, 0, 20) : parameter, name);
            if (grows)
                Assert.True((parameter.narrow(0, 20, 3) - before[name].narrow(0, 20, 3)).abs().sum([1L]).min().ToDouble() > 0);
        }
        // The adapter's files give the same rows to another copy of the grown model.
        var (other, _) = Actions.AddTo(model, Toy.Tokenizer);
        using var second = other;
        using var loaded = AdaptedModel.Load(second, folder.Path);
        TensorAssert.Close(logits, second.call(ids), 1e-6);
    }

    [Fact]
    public void SavedModel_AndTokenizer_KnowTheActions()
    {
        using var folder = new TemporaryDirectory();
        using (var model = Model(tied: true))
        {
            Pretrained.Save(model, Toy.Tokenizer, folder.Path);
        }
        // From files, whose config.json goes back as it came but for the vocabulary.
        using var loaded = Pretrained.Load(folder.Path);
        var (grown, tokenizer) = Actions.AddTo(loaded, TokenizerFiles.Load(folder.Path));
        using var _ = grown;
        using var target = new TemporaryDirectory();
        Pretrained.Save(grown, tokenizer, target.Path);
        using var again = Pretrained.Load(target.Path);
        Assert.Equal(Toy.Bytes(grown), Toy.Bytes(again));
        Assert.Equal([20, 21, 22], TokenizerFiles.Load(target.Path).Encode(string.Concat(Actions.Tokens)));
        Assert.Throws<ArgumentException>(() => Actions.AddTo(again, TokenizerFiles.Load(target.Path)));
    }

    [Fact]
    public void TokenizerJson_GetsTheActionsBehindItsIds()
    {
        var json = TokenizerJson.Load(Path.Combine(Golden.GoldenFile.Directory, "tokenizers", "bpe-llama3"));
        var grown = json.WithTokens(Actions.Tokens);
        Assert.Equal(json.VocabularySize + 3, grown.VocabularySize);
        foreach (var text in (string[])["hello world", "1+2=3", " a\n b"])
            Assert.Equal(json.Encode(text), grown.Encode(text));
        int[] ids = grown.Encode("so<|reflect|>no");
        Assert.Contains(json.VocabularySize + 1, ids);
        Assert.Equal("so<|reflect|>no", grown.Decode(ids));
        using var folder = new TemporaryDirectory();
        TokenizerFiles.Save(grown, folder.Path);
        Assert.Equal(ids, TokenizerFiles.Load(folder.Path).Encode("so<|reflect|>no"));
        Assert.Throws<ArgumentException>(() => grown.WithTokens("<|reflect|>"));
        Assert.Throws<ArgumentException>(() => json.WithTokens("<a>", "<a>"));
        Assert.Throws<ArgumentException>(() => json.WithTokens(""));
    }

    [Fact]
    public void SpareRowsOfTheModel_AreTakenFirst_AndASmallerVocabularyIsRefused()
    {
        using var wide = Decoder.Create(TinyModels.Llama with { VocabularySize = 22 }, 1);
        var (grown, _) = Actions.AddTo(wide, Toy.Tokenizer);
        using var second = grown;
        Assert.Equal(23, grown.VocabularySize);
        Assert.Throws<ArgumentOutOfRangeException>(() => wide.WithVocabulary(21));
        Assert.Throws<ArgumentException>(() => Actions.Rows(wide, Toy.Tokenizer));
        Assert.True(Actions.Reconsiders("1<|explore|>2"));
        Assert.True(Actions.Reconsiders("1<|reflect|>2"));
        Assert.False(Actions.Reconsiders("1<|continue|>2"));
    }

    private static Decoder Model(bool tied) =>
        Decoder.Create(
            new DecoderConfig
            {
                VocabularySize = Toy.Tokenizer.VocabularySize,
                ContextLength = 24,
                HiddenSize = 16,
                Layers = 1,
                Heads = 2,
                FeedForwardSize = 32,
                TiedEmbeddings = tied,
            },
            1
        );
}
