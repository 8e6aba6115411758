using PostTrain.Adapters.Prompts;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Tests.Models;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Adapters;

public sealed class TemplatePromptTests
{
    private static Tensor Ids(params long[] ids) => tensor(ids, [1, ids.Length]);

    [Fact]
    public void Forward_AllVirtualTokensInFront_IsThePrefix_ToTheBit()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Create("gpt2", ScalarType.Float32);
        using var soft = new SoftPromptLm(model, PromptTable.Random(3, 16, 2, 1));
        using var template = new TemplatePromptLm(model, PromptTable.Random(3, 16, 2, 1));
        Assert.Equal(26, template.InputVocabularySize);
        TensorAssert.Same(soft.call(Ids(4, 1, 9)), template.call(Ids(23, 24, 25, 4, 1, 9)).narrow(1, 3, 3));
    }

    [Fact]
    public void Forward_RowsThatAreEmbeddings_AreThoseTokens_Anywhere()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Create("llama", ScalarType.Float32);
        using var template = new TemplatePromptLm(model, PromptTable.FromTokens(model, [5, 7]));
        TensorAssert.Same(model.call(Ids(5, 3, 7, 1, 5)), template.call(Ids(23, 3, 24, 1, 23)));
        Assert.Contains(
            "expected ids from 0 to 24",
            Assert.Throws<ArgumentException>(() => template.call(Ids(25))).Message,
            StringComparison.Ordinal
        );
        Assert.Throws<ArgumentException>(() => template.call(Ids(-1)));
    }

    [Fact]
    public void Forward_Gradient_ReachesTheRowsThatStandInTheText()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Create("llama");
        using var template = new TemplatePromptLm(model, PromptTable.Random(3, 16, 2, 1, ScalarType.Float64));
        (template.call(Ids(23, 3, 25)) * Numbers.Uniform(1, 1, 1, 3, 23)).sum().backward();
        var gradient = Numbers.Values(((PromptTable)template.Encoder).Weight.grad!).Chunk(16).ToArray();
        Assert.Contains(gradient[0], value => value != 0);
        Assert.All(gradient[1], value => Assert.Equal(0, value));
        Assert.Contains(gradient[2], value => value != 0);
        Assert.All(model.parameters(), parameter => Assert.True(parameter.grad is null));
    }

    [Fact]
    public void Generate_WithCache_IsGenerationWithout()
    {
        using var model = TinyModels.Create("llama");
        using var template = new TemplatePromptLm(model, PromptTable.Random(3, 16, 2, 1, ScalarType.Float64));
        SoftPromptLmTests.CheckGreedy(
            template,
            [
                [23, 3, 1, 24],
                [5, 25],
                [9, 2, 6, 5, 3],
            ]
        );
    }

    [Fact]
    public void Template_WritesMarksThatTheTokenizerReads()
    {
        var template = new PromptTemplate("{2}a{prompt}={1}");
        Assert.Equal(3, template.Length);
        var tokenizer = new TemplateTokenizer(Toy.Tokenizer, 20, 3);
        Assert.Equal(23, tokenizer.VocabularySize);
        var text = template.Apply("1+2");
        int[] expected = [20, 21, .. Toy.Tokenizer.Encode("a1+2="), 22];
        Assert.Equal(expected, tokenizer.Encode(text));
        Assert.Equal(text, tokenizer.Decode(expected));
        Assert.Equal(new Demonstration(text, "3"), template.Apply(new Demonstration("1+2", "3")));
        Assert.Equal(new Problem(text, "3"), template.Apply(new Problem("1+2", "3")));
        Assert.Equal("{x}", new PromptTemplate("{{{prompt}}}").Apply("x"));
        Assert.Empty(tokenizer.Encode(""));
        Assert.Equal("", tokenizer.Decode([]));
        // No row 3, a leading zero, an open mark: ordinary text, which this tokenizer of 20 characters cannot express.
        foreach (
            var other in new[]
            {
                TemplateTokenizer.Mark(3),
                TemplateTokenizer.Mark(1).Replace("1", "01", StringComparison.Ordinal),
                TemplateTokenizer.Mark(1)[..^2],
            }
        )
            Assert.Throws<ArgumentException>(() => tokenizer.Encode("a" + other));
    }

    [Theory]
    [InlineData("{1}", "no {prompt}")]
    [InlineData("{prompt}{prompt}", "second {prompt} at 8")]
    [InlineData("{", "single '{' at 0")]
    [InlineData("{prompt}}", "single '}' at 8")]
    [InlineData("{-1}{prompt}", "{-1} at 0")]
    [InlineData("{x y}{prompt}", "{x y} at 0")]
    [InlineData("{99999999999}{prompt}", "65536 in all")]
    [InlineData("{65536}{1}{prompt}", "{1} at 7")]
    public void Template_Malformed_IsRefusedByPlace(string format, string reason) =>
        Assert.Contains(reason, Assert.Throws<ArgumentException>(() => new PromptTemplate(format)).Message, StringComparison.Ordinal);
}
