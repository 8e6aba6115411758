using PostTrain.Adapters.Prompts;
using PostTrain.Models;
using PostTrain.Rollouts;
using PostTrain.Tests.Models;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Adapters;

public sealed class SoftPromptLmTests
{
    private static readonly int[] Text = [5, 7, 11];
    private static readonly int[][] Prompts =
    [
        [3, 1, 4],
        [1, 5],
        [9, 2, 6, 5, 3],
    ];

    private static Tensor Ids(params long[] ids) => tensor(ids, [1, ids.Length]);

    [Theory]
    [InlineData("llama")]
    [InlineData("gpt2")]
    public void Forward_TextInit_IsPromptingWithTheText_ToTheBit(string architecture)
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Create(architecture, ScalarType.Float32);
        using var prompted = new SoftPromptLm(model, PromptTable.FromTokens(model, Text));
        var logits = prompted.call(Ids(3, 1, 4));
        Assert.Equal([1, 3, 23], logits.shape);
        TensorAssert.Same(model.call(Ids(5, 7, 11, 3, 1, 4)).narrow(1, 3, 3), logits);
        Assert.Equal(21, prompted.ContextLength);
        Assert.Equal(model.VocabularySize, prompted.InputVocabularySize);
    }

    [Theory]
    [InlineData("llama")]
    [InlineData("gpt2")]
    public void Forward_EmptyPrompt_IsTheModel(string architecture)
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Create(architecture);
        using var soft = new SoftPromptLm(model, PromptTable.Random(0, 16, 1, type: ScalarType.Float64));
        using var prefix = new PrefixLm(model, PromptTable.Random(0, PrefixLm.WidthFor(model), 1, type: ScalarType.Float64));
        var expected = model.call(Ids(3, 1, 4));
        TensorAssert.Same(expected, soft.call(Ids(3, 1, 4)));
        TensorAssert.Same(expected, prefix.call(Ids(3, 1, 4)));
    }

    // The prompt stands before the padding; with the padding before the prompt, by hand, it is the same function.
    [Theory]
    [InlineData("llama", false)]
    [InlineData("llama", true)]
    [InlineData("gpt2", false)]
    [InlineData("gpt2", true)]
    public void Hidden_Padding_MovesNothing(string architecture, bool prefix)
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Create(architecture);
        using PromptedLm prompted = prefix
            ? new PrefixLm(model, PromptTable.Random(3, PrefixLm.WidthFor(model), 2, 1, ScalarType.Float64))
            : new SoftPromptLm(model, PromptTable.Random(3, 16, 2, 1, ScalarType.Float64));
        var expected = prompted.Hidden(Ids(3, 1, 4));
        TensorAssert.Close(
            expected,
            prompted.Hidden(Ids(0, 0, 3, 1, 4), tensor(new long[] { 0, 0, 1, 1, 1 }, [1, 5])).narrow(1, 2, 3),
            1e-12
        );
        TensorAssert.Close(
            expected,
            prompted.Hidden(Ids(3, 1, 4, 0, 0), tensor(new long[] { 1, 1, 1, 0, 0 }, [1, 5])).narrow(1, 0, 3),
            1e-12
        );
        if (prefix)
            return;
        var between = cat([model.Embed(Ids(0, 0)), prompted.Encoder.Rows().unsqueeze(0), model.Embed(Ids(3, 1, 4))], 1);
        TensorAssert.Close(
            expected,
            model.HiddenFromEmbeddings(between, tensor(new long[] { 0, 0, 1, 1, 1, 1, 1, 1 }, [1, 8])).narrow(1, 5, 3),
            1e-12
        );
    }

    [Theory]
    [InlineData("llama", false)]
    [InlineData("llama", true)]
    [InlineData("gpt2", false)]
    [InlineData("gpt2", true)]
    public void Hidden_Gradients_AreThoseOfFiniteDifferences(string architecture, bool prefix)
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Create(architecture);
        var rows = Numbers.Uniform(4, 1, 2, prefix ? PrefixLm.WidthFor(model) : 16);
        using PromptedLm prompted = prefix ? new PrefixLm(model, new PromptTable(rows)) : new SoftPromptLm(model, new PromptTable(rows));
        var (ids, mask) = (Ids(3, 1, 4, 1), tensor(new long[] { 0, 1, 1, 1 }, [1, 4]));
        var weights = Numbers.Uniform(3, 1, 1, 3, 16);
        Tensor Loss() => (prompted.Hidden(ids, mask).narrow(1, 1, 3) * weights).sum();

        Loss().backward();
        Assert.All(model.parameters(), parameter => Assert.True(parameter.grad is null));
        var table = ((PromptTable)prompted.Encoder).Weight;
        var gradient = Numbers.Values(table.grad!);
        using var mode = no_grad();
        for (var i = 0; i < gradient.Length; i++)
        {
            double At(double shift)
            {
                table.view(-1)[i] += shift;
                var value = Loss().ToDouble();
                table.view(-1)[i] -= shift;
                return value;
            }

            var numeric = (At(1e-5) - At(-1e-5)) / 2e-5;
            Assert.True(
                Math.Abs(numeric - gradient[i]) <= 1e-7 * (1 + Math.Abs(numeric)),
                $"element {i}: gradient {gradient[i]}, differences give {numeric}"
            );
        }
    }

    [Theory]
    [InlineData("llama", false)]
    [InlineData("llama", true)]
    [InlineData("gpt2", false)]
    [InlineData("gpt2", true)]
    public void Generate_WithCache_IsGenerationWithout(string architecture, bool prefix)
    {
        using var model = TinyModels.Create(architecture);
        using PromptedLm prompted = prefix
            ? new PrefixLm(model, PromptTable.Random(3, PrefixLm.WidthFor(model), 2, 1, ScalarType.Float64))
            : new SoftPromptLm(model, PromptTable.Random(3, 16, 2, 1, ScalarType.Float64));
        CheckGreedy(prompted, Prompts);
    }

    [Fact]
    public void Generate_UpToTheEndOfTheContext_LeavesRoomForThePrompt()
    {
        using var model = TinyModels.Create("llama");
        using var prompted = new SoftPromptLm(model, PromptTable.Random(3, 16, 2, 1, ScalarType.Float64));
        using var batch = Sampler.Generate(prompted, Prompts, new SamplingOptions { MaxNewTokens = 100 }, 1, 0);
        Assert.Equal(Prompts.Select(prompt => 24 - 3 - prompt.Length), batch.Completions.Select(completion => completion.Length));
        using var scope = NewDisposeScope();
        Assert.Contains(
            "context length",
            Assert.Throws<ArgumentException>(() => prompted.Hidden(Numbers.Ids(1, 23, 1, 22))).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Cache_CountsRealTokensOnly_AndCanBeClearedAndSelected()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Create("llama");
        using var prompted = new SoftPromptLm(model, PromptTable.Random(3, 16, 2, 1, ScalarType.Float64));
        using var cache = prompted.NewCache(2, 6);
        Assert.Equal((0, 6), (cache.Length, cache.Capacity));
        var ids = tensor(new long[] { 3, 1, 4, 1, 5, 9 }, [2, 3]);
        for (var round = 0; round < 2; round++)
        {
            prompted.Hidden(ids.narrow(1, 0, 2), cache: cache);
            Assert.Equal(2, cache.Length);
            TensorAssert.Close(prompted.Hidden(ids).narrow(1, 2, 1), prompted.Hidden(ids.narrow(1, 2, 1), cache: cache), 1e-12);
            cache.Clear();
            Assert.Equal(0, cache.Length);
        }

        prompted.Hidden(ids.narrow(1, 0, 2), cache: cache);
        cache.SelectRows(tensor(new long[] { 1 }));
        TensorAssert.Close(
            prompted.Hidden(ids.narrow(0, 1, 1)).narrow(1, 2, 1),
            prompted.Hidden(ids.narrow(0, 1, 1).narrow(1, 2, 1), cache: cache),
            1e-12
        );
        using var foreign = model.NewCache(1, 8);
        Assert.Contains(
            "no room for the 3 positions",
            Assert.Throws<ArgumentException>(() => prompted.Hidden(Ids(1), cache: foreign)).Message,
            StringComparison.Ordinal
        );
        Assert.Throws<ArgumentOutOfRangeException>(() => prompted.NewCache(1, 22));
    }

    [Fact]
    public void Prompts_Nest()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Create("gpt2");
        using var prefix = new PrefixLm(model, PrefixLm.FromTokens(model, [2, 4]));
        using var prompted = new SoftPromptLm(prefix, PromptTable.FromTokens(prefix, Text));
        TensorAssert.Close(model.call(Ids(2, 4, 5, 7, 11, 3, 1)).narrow(1, 5, 2), prompted.call(Ids(3, 1)), 1e-12);
        CheckGreedy(prompted, Prompts);
    }

    [Fact]
    public void Constructor_WhatDoesNotFit_IsRefused()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Create("llama");
        Assert.Contains(
            "width 15, expected 16",
            Assert.Throws<ArgumentException>(() => new SoftPromptLm(model, PromptTable.Random(2, 15, 1))).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "width 16, expected 32",
            Assert.Throws<ArgumentException>(() => new PrefixLm(model, PromptTable.Random(2, 16, 1))).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "24 virtual tokens",
            Assert.Throws<ArgumentException>(() => new SoftPromptLm(model, PromptTable.Random(24, 16, 1))).Message,
            StringComparison.Ordinal
        );
        Assert.Throws<ArgumentException>(() => PromptTable.FromTokens(model, [], 3));
        Assert.Throws<ArgumentException>(() => PromptTable.FromTokens(model, [23]));
        Assert.Throws<ArgumentException>(() => new PromptTable(zeros(3)));
        using var prompted = new SoftPromptLm(model, PromptTable.Random(2, 16, 1, type: ScalarType.Float64));
        Assert.Contains(
            "2 packed sequences",
            Assert.Throws<ArgumentException>(() => prompted.Hidden(Ids(3, 1), tensor(new long[] { 1, 2 }, [1, 2]))).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Tables_StartAsTheirNamesSay()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Create("llama");
        using var random = PromptTable.Random(40, 16, 3);
        var values = Numbers.Values(random.Weight);
        Assert.All(values, value => Assert.InRange(value, -0.5, 0.5));
        // The mean of 640 uniform numbers has a standard deviation of 0.0114.
        Assert.InRange(values.Average(), -0.05, 0.05);
        Assert.InRange(values.Max(), 0.45, 0.5);
        using var again = PromptTable.Random(40, 16, 3);
        Assert.Equal(values, Numbers.Values(again.Weight));

        using var sampled = PromptTable.FromVocabulary(model, 8, 5, mostCommon: 10);
        var table = Numbers.Values(model.TokenEmbeddings).Chunk(16).ToArray();
        var ids = Numbers
            .Values(sampled.Weight)
            .Chunk(16)
            .Select(row => Array.FindIndex(table, other => other.SequenceEqual(row)))
            .ToArray();
        Assert.All(ids, id => Assert.InRange(id, 0, 9));
        Assert.Equal(8, ids.Distinct().Count());

        using var repeated = PromptTable.FromTokens(model, [4, 9], 5);
        Assert.Equal(
            [4, 9, 4, 9, 4],
            Numbers.Values(repeated.Weight).Chunk(16).Select(row => Array.FindIndex(table, other => other.SequenceEqual(row)))
        );
    }

    [Fact]
    public void Dispose_LeavesTheModelToItsOwner()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Create("llama");
        var expected = model.call(Ids(3, 1, 4));
        var prompted = new SoftPromptLm(model, PromptTable.Random(2, 16, 1, type: ScalarType.Float64));
        var weight = ((PromptTable)prompted.Encoder).Weight;
        prompted.Dispose();
        Assert.True(weight.IsInvalid);
        TensorAssert.Same(expected, model.call(Ids(3, 1, 4)));
    }

    [Fact]
    public void Functions_OwnExactlyTheirResults()
    {
        using var model = TinyModels.Create("llama");
        using var soft = new SoftPromptLm(model, PromptTable.Random(2, 16, 1, type: ScalarType.Float64));
        using var prefix = new PrefixLm(model, PromptTable.Random(2, 32, 1, type: ScalarType.Float64));
        using var template = new TemplatePromptLm(model, PromptTable.Random(2, 16, 1, type: ScalarType.Float64));
        using var ids = tensor(new long[] { 3, 1 }, [1, 2]);
        using var mask = ones([1, 2], dtype: ScalarType.Int64);
        foreach (var prompted in new PromptedLm[] { soft, prefix, template })
        {
            prompted.call(ids).Dispose();
            Ownership.Check(() => [prompted.Hidden(ids, mask)], ids, mask);
            Ownership.Check(() => [prompted.Encoder.Rows()]);
        }
    }

    // Greedy generation, and the same by running the whole text again for every token.
    internal static void CheckGreedy(CausalLm model, int[][] prompts)
    {
        using var scope = NewDisposeScope();
        using var mode = no_grad();
        using var batch = Sampler.Generate(model, prompts, new SamplingOptions { Temperature = 0, MaxNewTokens = 8 }, 1, 0);
        for (var row = 0; row < prompts.Length; row++)
        {
            var text = prompts[row].Select(id => (long)id).ToList();
            foreach (var token in batch.Completions[row])
            {
                var last = model.call(Ids([.. text])).select(1, text.Count - 1).squeeze(0);
                Assert.Equal(last.argmax().ToInt64(), token);
                Assert.Equal(
                    last.log_softmax(-1)[token].ToDouble(),
                    batch.LogProbs[row, text.Count - prompts[row].Length].ToDouble(),
                    1e-10
                );
                text.Add(token);
            }
        }
    }
}
