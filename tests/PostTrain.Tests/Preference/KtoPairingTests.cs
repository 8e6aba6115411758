using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Preference;
using PostTrain.Tests.Support;
using PostTrain.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Preference;

/// <summary>Which completion each prompt is paired with for KTO's reference point.</summary>
[Collection("Sequential")]
public sealed class KtoPairingTests : IDisposable
{
    private readonly Decoder model = Toy.Model(type: ScalarType.Float64);
    private readonly Decoder reference = Toy.Model(seed: 4, type: ScalarType.Float64);

    public void Dispose()
    {
        model.Dispose();
        reference.Dispose();
    }

    // A last batch of one takes the next completion of the data set: the first one's.
    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void Evaluate_LastBatchOfAnySize_IsTheFormulaOfMismatchedPairs(int batch)
    {
        JudgedCompletion[] data =
        [
            new("0=", "ab", true),
            new("1+1=", "bcd", false),
            new("2=", "aab", true),
            new("7=", "c", false),
            new("3=", "d", true),
        ];
        double weighted = 0,
            loss = 0;
        foreach (var part in Enumerable.Range(0, data.Length).Chunk(batch))
        {
            int Next(int place) => part.Length > 1 ? part[(place + 1) % part.Length] : (part[place] + 1) % data.Length;
            double point = Math.Max(0, part.Select((index, place) => Ratio(data[index].Prompt, data[Next(place)].Completion)).Average());
            weighted += point * part.Length;
            loss += part.Sum(index => Loss(Ratio(data[index].Prompt, data[index].Completion), point, data[index].Desirable));
        }
        foreach (int? micro in new int?[] { null, 1, 2, 4 })
        {
            using var trainer = Trainer(batch, micro);
            var metrics = trainer.Evaluate(data);
            Assert.Equal(weighted / data.Length, metrics["eval/kl"], 1e-12);
            Assert.Equal(loss / data.Length, metrics["eval/loss"], 1e-12);
        }
    }

    // Both completions of a prompt beside each other, as pairs taken apart have them: each is paired with another prompt's.
    [Fact]
    public void Step_TakesTheCompletionOfAnotherPrompt()
    {
        JudgedCompletion[] data = [new("0=", "ab", true), new("0=", "b", false), new("1+1=", "a", true), new("1+1=", "bcd", false)];
        double expected = Math.Max(
            0,
            new[] { ("0=", "a"), ("0=", "a"), ("1+1=", "bcd"), ("1+1=", "ab") }
                .Select((pair, i) => Ratio(pair.Item1, i == 2 ? "ab" : pair.Item2))
                .Average()
        );
        using var trainer = Trainer(4, null);
        Assert.Equal(expected, trainer.Evaluate(data)["eval/kl"], 1e-12);
    }

    // One prompt alone: its other completion, never its own.
    [Fact]
    public void OnePrompt_TakesItsOtherCompletion()
    {
        JudgedCompletion[] data = [new("0=", "ab", true), new("0=", "ab", true), new("0=", "b", false)];
        using var trainer = Trainer(4, null);
        Assert.Equal(
            Math.Max(0, new[] { "b", "b", "ab" }.Average(completion => Ratio("0=", completion))),
            trainer.Evaluate(data)["eval/kl"],
            1e-12
        );
    }

    // An epoch's end and the next one's beginning can bring the same example twice into a batch.
    [Fact]
    public void Run_SmallData_PairsNothingWithItself()
    {
        JudgedCompletion[] data = [new("0=", "ab", true), new("1+1=", "bcd", false)];
        // Batches of four hold each example twice: each prompt with the other's completion.
        double expected = Math.Max(0, (Ratio("0=", "bcd") + Ratio("1+1=", "ab")) / 2);
        using var trainer = Trainer(4, null);
        Assert.Equal(expected, trainer.Run(data).First().Metrics["kl"], 1e-12);
    }

    [Fact]
    public void SingleCompletion_IsRefusedByName()
    {
        var before = Toy.Bytes(model);
        using var trainer = Trainer(2, null);
        JudgedCompletion one = new("0=", "ab", true);
        Assert.Contains(
            "batch holds one completion only",
            Assert.Throws<ArgumentException>(() => trainer.Step([one])).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "data holds one completion only",
            Assert.Throws<ArgumentException>(() => trainer.Evaluate([one, one])).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "data holds one completion only",
            Assert.Throws<ArgumentException>(() => trainer.Run([one])).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "evaluation holds one completion only",
            Assert.Throws<ArgumentException>(() => trainer.Run([one, one with { Completion = "b" }], [one])).Message,
            StringComparison.Ordinal
        );
        Assert.Equal(before, Toy.Bytes(model));
    }

    private KtoTrainer Trainer(int batch, int? micro) =>
        new(
            model,
            Toy.Tokenizer,
            ReferencePolicy.Of(reference),
            new KtoOptions
            {
                Steps = 1,
                BatchSize = batch,
                MicroBatchSize = micro,
                Beta = 0.3,
            }
        );

    private double Ratio(string prompt, string completion) => LogProb(model, prompt, completion) - LogProb(reference, prompt, completion);

    private static double Loss(double ratio, double point, bool desirable) =>
        1 / (1 + Math.Exp(0.3 * (desirable ? ratio - point : point - ratio)));

    private static double LogProb(CausalLm of, string prompt, string completion)
    {
        int start = Toy.Tokenizer.Encode(prompt).Length;
        int[] ids = [.. Toy.Tokenizer.Encode(prompt + completion), Toy.Tokenizer.EndOfSequenceId!.Value];
        var logProbs = Toy.LogProbs(of, ids);
        return Enumerable.Range(start, ids.Length - start).Sum(t => logProbs[t - 1][ids[t]]);
    }
}
