using PostTrain.Data.Batches;
using PostTrain.Models;
using PostTrain.Supervised;
using PostTrain.Text;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Samples.Support;

/// <summary>Texts such as <c>7+5=2</c>: results of an operation on two digits modulo ten, a hundred for each operation. One operation is
/// what a model knows, another is the new domain, the third is neither: a + b, 3a + b and a + 7b + 4.</summary>
public static class DomainTask
{
    /// <summary>The sign of what the model knows.</summary>
    public const char Known = '+';

    /// <summary>The sign of the new domain.</summary>
    public const char Domain = '*';

    /// <summary>The sign of what is neither.</summary>
    public const char Unrelated = '-';

    /// <summary>Digits and signs.</summary>
    public static CharacterTokenizer Tokenizer() => new("0123456789+*-=");

    /// <summary>A decoder with a random start. The output has weights of its own: two layers of width 48 that share them with the embedding
    /// stayed at chance for 1500 steps.</summary>
    public static Decoder Model(ulong seed, int width = 64) =>
        Decoder.Create(SmallDecoder.Untied(Tokenizer(), context: 16, width, inner: 4 * width), seed);

    /// <summary>The hundred texts of an operation.</summary>
    public static IReadOnlyList<TokenExample> Texts(char operation) =>
        PretrainingText.Pieces(Pairs().Select(pair => $"{pair.A}{operation}{pair.B}={Result(pair.A, operation, pair.B)}"), Tokenizer(), 16);

    /// <summary>The same as examples in which only the result is learnt: the contexts of the results.</summary>
    public static SequenceBatch Contexts(char operation) =>
        SequenceBatch.Of(
            [
                .. Pairs()
                    .Select(pair =>
                        TokenExample.Of(
                            $"{pair.A}{operation}{pair.B}=",
                            $"{Result(pair.A, operation, pair.B)}",
                            Tokenizer(),
                            appendEnd: false
                        )
                    ),
            ],
            Tokenizer().PaddingId
        );

    /// <summary>Share of an operation's hundred results that are the model's likeliest token.</summary>
    public static double Accuracy(CausalLm model, char operation)
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        bool training = model.training;
        model.eval();
        var scores = SequenceScores.Of(model, Contexts(operation));
        model.train(training);
        return (scores.Logits.argmax(-1).eq(scores.Targets) * scores.Mask).sum().ToDouble() / scores.Mask.sum().ToDouble();
    }

    private static IEnumerable<(int A, int B)> Pairs() => Enumerable.Range(0, 100).Select(i => (i / 10, i % 10));

    private static int Result(int a, char operation, int b) =>
        operation switch
        {
            Known => (a + b) % 10,
            Domain => (3 * a + b) % 10,
            _ => (a + 7 * b + 4) % 10,
        };
}
