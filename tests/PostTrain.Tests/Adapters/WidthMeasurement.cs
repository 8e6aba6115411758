using System.Globalization;
using PostTrain.Adapters.Prompts;
using PostTrain.Models;
using PostTrain.Tests.Support;
using Xunit.Abstractions;

namespace PostTrain.Tests.Adapters;

/// <summary>Prompt tuning and P-tuning beside full fine-tuning over the width of the base, five paired seeds, each prompt the one with the
/// lower loss in training of two starts. Runs where POSTTRAIN_MEASURE is set and prints what it found, the table of docs/prompt-tuning.md;
/// the sample prompt-width has eight tasks and more starts.</summary>
public sealed class WidthMeasurement(ITestOutputHelper output)
{
    // Student's quantile for five pairs, and how far behind full tuning counts as behind.
    private const double Quantile = 2.776,
        Margin = 0.05;

    [MeasurementFact]
    public void Prompts_OnWideBases_ReachFullTuning()
    {
        output.WriteLine("seed width full prompt p-tuning");
        int[] widths = [8, 16, 32];
        var cells = new List<(int Width, double Full, double Prompt, double Encoded)>();
        for (ulong seed = 11; seed <= 15; seed++)
        {
            foreach (int width in widths)
            {
                var cell = Measured(width, seed);
                cells.Add(cell);
                output.WriteLine(
                    string.Create(CultureInfo.InvariantCulture, $"{seed} {width} {cell.Full:F3} {cell.Prompt:F3} {cell.Encoded:F3}")
                );
            }
        }
        var closing = widths.ToDictionary(width => width, width => Interval("full less prompt", width, cell => cell.Full - cell.Prompt));
        foreach (int width in widths)
            _ = Interval("p-tuning less prompt", width, cell => cell.Encoded - cell.Prompt);
        Assert.True(closing[32].Mean < Margin, $"prompt tuning is {closing[32].Mean} behind full tuning");

        (double Mean, double Half) Interval(
            string name,
            int width,
            Func<(int Width, double Full, double Prompt, double Encoded), double> of
        )
        {
            double[] values = [.. cells.Where(cell => cell.Width == width).Select(of)];
            double mean = values.Average(),
                half = Quantile * Math.Sqrt(values.Sum(value => (value - mean) * (value - mean)) / (values.Length - 1) / values.Length);
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"width {width}, {name}: {mean:F3} ± {half:F3}"));
            return (mean, half);
        }
    }

    private static (int Width, double Full, double Prompt, double Encoded) Measured(int width, ulong seed)
    {
        using var model = ChoiceTask.Base(width, 2000, seed);
        using PromptTable text = ChoiceTask.Text(model),
            tokens = PromptTable.FromVocabulary(model, ChoiceTask.Longest, seed);
        PromptTable[] starts = [text, tokens];
        double prompt = Best(0.3, start => new SoftPromptLm(model, new PromptTable(start.Weight))),
            encoded = Best(1e-2, start => ChoiceTask.Network(model, start, seed));
        foreach (var parameter in model.parameters())
            parameter.requires_grad = true;
        return (width, ChoiceTask.Tuned(model, 'b', 400, 3e-3, seed).Accuracy, prompt, encoded);

        double Best(double rate, Func<PromptTable, CausalLm> make) =>
            starts
                .Select(start =>
                {
                    using var prompted = make(start);
                    return ChoiceTask.Tuned(prompted, 'b', 400, rate, seed);
                })
                .MinBy(tried => tried.Loss)
                .Accuracy;
    }
}
