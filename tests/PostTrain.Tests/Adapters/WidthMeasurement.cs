using System.Globalization;
using PostTrain.Tests.Support;
using Xunit.Abstractions;

namespace PostTrain.Tests.Adapters;

/// <summary>The gap between tuning a prompt and tuning everything over the width of the base, and P-tuning beside prompt tuning, five seeds
/// each. Runs where POSTTRAIN_MEASURE is set and prints what it found; the sample prompt-width does the same with eight tasks.</summary>
public sealed class WidthMeasurement(ITestOutputHelper output)
{
    [MeasurementFact]
    public void Gap_ByWidth_Closes()
    {
        output.WriteLine("seed width full prompt p-tuning");
        Dictionary<int, List<double>> gaps = [],
            behind = [];
        for (ulong seed = 1; seed <= 5; seed++)
        {
            foreach (int width in (int[])[8, 16, 32])
            {
                using var model = ChoiceTask.Base(width, 2000, seed);
                double prompt,
                    encoded;
                using (var prompted = ChoiceTask.Prompt(model))
                    prompt = ChoiceTask.Tuned(prompted, 'b', 400, 0.3, seed);
                using (var prompted = ChoiceTask.Network(model, seed))
                    encoded = ChoiceTask.Tuned(prompted, 'b', 400, 1e-2, seed);
                foreach (var parameter in model.parameters())
                    parameter.requires_grad = true;
                double full = ChoiceTask.Tuned(model, 'b', 400, 3e-3, seed);
                gaps.TryAdd(width, []);
                gaps[width].Add(full - prompt);
                behind.TryAdd(width, []);
                behind[width].Add(prompt - encoded);
                output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{seed} {width} {full:F3} {prompt:F3} {encoded:F3}"));
            }
        }
        Assert.True(gaps[32].Average() < gaps[8].Average());
        Assert.True(behind[32].Average() < 0.05, $"P-tuning is {behind[32].Average()} behind prompt tuning");
    }
}
