using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Policy;
using PostTrain.Rollouts;
using PostTrain.Samples.Support;
using PostTrain.Supervised;
using PostTrain.Tests.Support;
using PostTrain.Training;
using PostTrain.Vision;
using Xunit.Abstractions;
using static TorchSharp.torch;

namespace PostTrain.Tests.Domains;

/// <summary>Questions about drawn pictures: supervised training reads them, reinforcement learning goes on from there.</summary>
[Collection("Sequential")]
public sealed class ShapesTests(ITestOutputHelper output)
{
    [Fact]
    public void Pictures_AreWhatTheScenesSay()
    {
        using var scope = NewDisposeScope();
        var scenes = ShapesTask.Scenes(50, 3);
        var pictures = ShapesTask.Pictures(scenes);
        for (int i = 0; i < scenes.Count; i++)
        {
            Assert.InRange(scenes[i].Items.Count, 1, 4);
            // A square has 12 dots, a cross 8, a ring 8; each in its colour and cell.
            foreach (var (shape, colour, cell) in scenes[i].Items)
            {
                var painted = pictures[i]
                    ["rgb".IndexOf(colour, StringComparison.Ordinal)]
                    .narrow(0, cell / 4 * 4, 4)
                    .narrow(1, cell % 4 * 4, 4);
                Assert.Equal(shape == 's' ? 12 : 8, painted.sum().ToInt32());
            }
            Assert.Equal(scenes[i].Items.Sum(item => item.Shape == 's' ? 12 : 8), pictures[i].sum().ToInt32());
        }
        foreach (var question in ShapesTask.Questions(scenes, 1))
        {
            var scene = scenes[
                int.Parse(
                    string.Concat(question.Prompt.Text[..^3].Where(char.IsAsciiDigit)),
                    System.Globalization.CultureInfo.InvariantCulture
                )
            ];
            char subject = question.Prompt.Text[^2];
            int Cell() => scene.Items.Single(item => item.Shape == subject).Cell;
            string answer = ShapesTask.Kind(question) switch
            {
                'n' => $"{scene.Items.Count(item => item.Colour == subject)}",
                'c' => $"{scene.Items.Single(item => item.Shape == subject).Colour}",
                _ =>
                    $"{Cell() / 4}{Cell() % 4}",
            };
            Assert.Equal(answer, question.Answer);
        }
    }
}
