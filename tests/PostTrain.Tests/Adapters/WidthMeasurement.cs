using System.Globalization;
using PostTrain.Adapters.Prompts;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Supervised;
using PostTrain.Tests.Support;
using TorchSharp;
using Xunit.Abstractions;
using static TorchSharp.torch;

namespace PostTrain.Tests.Adapters;

/// <summary>
/// The gap between tuning a prompt and tuning everything, for transformers of several widths: decoders are trained on a mixture of tasks y
/// = (x + k) mod 8, each named by its k in the prompt, and then tuned for a k that was not among them, without its name. Not a test of a
/// claim: it runs where POSTTRAIN_MEASURE is set and prints what it found.
/// </summary>
public sealed class WidthMeasurement(ITestOutputHelper output)
{
    private static readonly int[] Widths = [8, 16, 32, 64];
    private static readonly int[] Shifts = [0, 1, 3, 4, 6, 7];

    [MeasurementFact]
    public void Gap_ByWidth()
    {
        output.WriteLine("seed width pretrained full prompt(n=8) prefix(n=8) prompt(n=1) text-start(n=8)");
        for (ulong seed = 1; seed <= 5; seed++)
        {
            foreach (var width in Widths)
            {
                using var model = Model(width, seed);
                var mixture = Shifts.SelectMany(shift => Task(shift, shift)).ToArray();
                var pretrained = Train(model, mixture, 600, 1e-2, seed);
                // The name is '=': never seen before.
                var task = Task(5, null);
                string Cell(Func<PromptedLm> make, double rate)
                {
                    using var prompted = make();
                    return Text(Train(prompted, task, 200, rate, seed));
                }

                var cells = new[]
                {
                    Cell(() => new SoftPromptLm(model, PromptTable.FromVocabulary(model, 8, seed)), 0.03),
                    Cell(() => new PrefixLm(model, PromptTable.Random(8, PrefixLm.WidthFor(model), seed)), 0.03),
                    Cell(() => new SoftPromptLm(model, PromptTable.FromVocabulary(model, 1, seed)), 0.03),
                    Cell(() => new SoftPromptLm(model, PromptTable.FromTokens(model, Toy.Tokenizer.Encode("4+6+"), 8)), 0.03),
                };
                foreach (var parameter in model.parameters())
                    parameter.requires_grad = true;
                output.WriteLine(
                    $"{seed} {width} {Text(pretrained)} {Text(Train(model, task, 200, 1e-2, seed))} {string.Join(' ', cells)}"
                );
            }
        }
    }

    private static Decoder Model(int width, ulong seed) =>
        Decoder.Create(
            new DecoderConfig
            {
                VocabularySize = Toy.Tokenizer.VocabularySize,
                ContextLength = 32,
                HiddenSize = width,
                Layers = 2,
                Heads = 2,
                FeedForwardSize = 2 * width,
            },
            seed
        );

    // "k=x" is answered by (x + k) mod 8; without a name the prompt is "=x".
    private static Demonstration[] Task(int shift, int? name) =>
        [
            .. Enumerable
                .Range(0, 8)
                .Select(x => string.Create(CultureInfo.InvariantCulture, $"{name}={x}|{(x + shift) % 8}").Split('|'))
                .Select(pair => new Demonstration(pair[0], pair[1])),
        ];

    // The loss of the last twenty steps.
    private static double Train(CausalLm model, Demonstration[] data, int steps, double rate, ulong seed)
    {
        using var trainer = new SftTrainer(
            model,
            Toy.Tokenizer,
            new SftOptions
            {
                Steps = steps,
                BatchSize = 16,
                LearningRate = rate,
                Seed = seed,
                AppendEndOfSequence = false,
            }
        );
        return trainer.Run(data).Select(report => report.Loss).TakeLast(20).Average();
    }

    private static string Text(double value) => value.ToString("F3", CultureInfo.InvariantCulture);
}
