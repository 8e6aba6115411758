using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Policy;
using PostTrain.Rollouts;
using PostTrain.Samples.Support;
using PostTrain.Supervised;
using PostTrain.Tests.Support;
using PostTrain.Tool;
using PostTrain.Training;
using PostTrain.Vision;
using TorchSharp;
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
            char subject = question.Prompt.Text[^1];
            int Cell() => scene.Items.Single(item => item.Shape == subject).Cell;
            string answer = ShapesTask.Kind(question) switch
            {
                'n' => $"{scene.Items.Count(item => item.Colour == subject)}",
                'c' => $"{scene.Items.Single(item => item.Shape == subject).Colour}",
                _ => $"{Cell() / 4}{Cell() % 4}",
            };
            Assert.Equal(answer, question.Answer);
        }
    }

    // Reinforcement has pictures of its own: on those of the supervised training, which are known by heart, groups agree and nothing is
    // left to be learnt.
    [Fact]
    public async Task SupervisedTraining_ReadsColours_AndGrpoGoesOn()
    {
        using var model = ShapesTask.Model(seed: 5);
        var scenes = ShapesTask.Scenes(10_000, 13);
        using (NewDisposeScope())
            model.Show(ShapesTask.Pictures(scenes));
        var tokenizer = new PictureTokenizer(ShapesTask.Tokenizer(), model);
        var colours = ShapesTask.Questions(scenes, 1).Where(problem => ShapesTask.Kind(problem) == 'c').ToArray();
        var (train, fresh, heldOut) = (colours[..1500], colours[1500..^200], colours[^200..]);
        // The projector alone leaves the language model as it is.
        byte[] language = Toy.Bytes(model.Language);
        model.Train(VisionParts.Projector);
        Sft(20);
        Assert.Equal(language, Toy.Bytes(model.Language));
        model.Train(VisionParts.Projector | VisionParts.Language);
        Sft(90);
        double supervised = Right();
        using (
            var trainer = new GrpoTrainer(
                model,
                tokenizer,
                ShapesTask.Right,
                new GrpoOptions
                {
                    Steps = 60,
                    BatchSize = 16,
                    GroupSize = 8,
                    LearningRate = 1e-3,
                    WarmupSteps = 5,
                    Schedule = LearningRateSchedule.Linear,
                    Objective = PolicyObjectives.DrGrpo(3),
                    Sampling = new SamplingOptions { MaxNewTokens = 3 },
                }
            )
        )
        {
            await foreach (var report in trainer.RunAsync(fresh))
                Assert.True(double.IsFinite(report.Loss));
        }
        double reinforced = Right();
        output.WriteLine($"right colours when drawn: {supervised}, after GRPO {reinforced}");
        // A guess is right once in three; of 1600 answers to 200 questions two standard errors are below 0.06.
        Assert.True(supervised > 0.5, $"{supervised} after supervised training");
        Assert.True(reinforced > supervised + 0.03 || reinforced > 0.97, $"{supervised} before GRPO, {reinforced} after");

        void Sft(int steps)
        {
            using var trainer = new SftTrainer(
                model,
                tokenizer,
                new SftOptions
                {
                    Steps = steps,
                    BatchSize = 48,
                    LearningRate = 3e-3,
                    WarmupSteps = steps / 10,
                    Schedule = LearningRateSchedule.Cosine,
                }
            );
            Assert.Equal(steps, trainer.Run([.. train.Select(problem => new Demonstration(problem.Prompt, problem.Answer!))]).Count());
        }

        // What GRPO maximises: the share of right answers at temperature 1, eight of each question.
        double Right() =>
            Sampled
                .Completions(
                    model,
                    tokenizer,
                    [.. Enumerable.Repeat(heldOut, 8).SelectMany(all => all)],
                    new SamplingOptions { MaxNewTokens = 3 },
                    0
                )
                .Count(ShapesTask.IsRight) / (8.0 * heldOut.Length);
    }
}
