using PostTrain.Adapters.Prompts;
using PostTrain.Models;
using PostTrain.Tests.Models;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Adapters;

public sealed class PrefixLmTests
{
    private static Tensor Ids(params long[] ids) => tensor(ids, [1, ids.Length]);

    // Keys and values of a text's tokens, taken out of the cache, do what the text does: with rotary positions, learnt positions and
    // grouped keys.
    [Theory]
    [InlineData("llama")]
    [InlineData("gpt2")]
    public void Forward_PrefixOfAText_IsPromptingWithTheText(string architecture)
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Create(architecture);
        using var prompted = new PrefixLm(model, PrefixLm.FromTokens(model, [5, 7, 11]));
        Assert.Equal([3, PrefixLm.WidthFor(model)], prompted.Encoder.Rows().shape);
        TensorAssert.Close(model.call(Ids(5, 7, 11, 3, 1, 4)).narrow(1, 3, 3), prompted.call(Ids(3, 1, 4)), 1e-12);
    }

    // One layer: the prefix K = P W_K, V = P W_V of normalised rows P is the input-level prompt, exactly. Learnt positions are part of P.
    [Fact]
    public void Forward_OneLayer_CanDoWhatASoftPromptDoes()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Create(
            TinyModels.Llama with
            {
                Layers = 1,
                Attention = [new AttentionSpec { Rotary = new RotarySpec { Theta = 1e30 } }],
            }
        );
        var rows = Numbers.Uniform(5, 1, 2, 16);
        using var soft = new SoftPromptLm(model, new PromptTable(rows));
        using var cache = model.NewCache(1, 2);
        using (no_grad())
            model.HiddenFromEmbeddings(rows.unsqueeze(0), null, cache);
        using var prefix = new PrefixLm(model, new PromptTable(cat([.. cache.Contents()], 0).permute(2, 0, 1, 3).reshape(2, -1)));
        TensorAssert.Close(soft.call(Ids(3, 1, 4)), prefix.call(Ids(3, 1, 4)), 1e-12);
    }

    // Keys far away from every query take no weight: what is left is the model, its positions moved by n (rotary attention does not see
    // that).
    [Fact]
    public void Forward_PrefixWithoutWeight_IsTheModel()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Create("llama");
        var ids = Ids(3, 1, 4, 1);
        using var near = new PrefixLm(model, new PromptTable(zeros([1, PrefixLm.WidthFor(model)], dtype: ScalarType.Float64)));
        Assert.True((near.call(ids) - model.call(ids)).abs().max().ToDouble() > 1e-3);

        // A query is q; a key −c·q with a big c would do for one query only. A mask of 0 over the prefix does it for all.
        var prefix = new KeyValuePrefix(zeros([2 * model.Config.Layers, 2, 1, 4], dtype: ScalarType.Float64));
        var hidden = model.HiddenAfter(prefix, model.Embed(ids), tensor(new long[] { 0, 1, 1, 1, 1 }, [1, 5]), null);
        TensorAssert.Close(model.Hidden(ids), hidden, 1e-12);
    }

    [Fact]
    public void Projection_Fold_GivesTheSameBits()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Create("llama", ScalarType.Float32);
        var projection = new PrefixProjection(3, PrefixLm.WidthFor(model), 8, 12, 4);
        using var prompted = new PrefixLm(model, projection);
        using var folded = new PrefixLm(model, projection.Fold());
        TensorAssert.Same(prompted.call(Ids(3, 1, 4)), folded.call(Ids(3, 1, 4)));
        Assert.Equal(
            [
                "prompt.embedding.weight",
                "prompt.transform.0.bias",
                "prompt.transform.0.weight",
                "prompt.transform.2.bias",
                "prompt.transform.2.weight",
            ],
            prompted.named_parameters().Where(item => item.parameter.requires_grad).Select(item => item.name).Order(StringComparer.Ordinal)
        );
    }
}
