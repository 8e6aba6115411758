using PostTrain.Rollouts;
using PostTrain.Tests.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Rollouts;

/// <summary>A prompt that comes several times is run once, and nothing else changes.</summary>
public sealed class SharedPromptsTests
{
    [Fact]
    public void Rows_AreTheFirstOfEachPrompt_AndPlacesPointToThem()
    {
        var shared = SharedPrompts.Of([
            [3, 1],
            [4],
            [3, 1],
            [3],
            [4],
        ]);
        Assert.Equal([0, 1, 3], shared.Rows);
        Assert.Equal([0, 1, 0, 2, 1], shared.Places);
    }

    [Theory]
    [InlineData("llama")]
    [InlineData("gpt2")]
    public void Groups_AreDrawnLikeRowsAlone(string name)
    {
        using var model = TinyModels.Create(name);
        int[][] prompts =
        [
            [3, 1, 4],
            [3, 1, 4],
            [5],
            [3, 1, 4],
            [5],
            [9, 2, 6, 5],
        ];
        var options = new SamplingOptions { MaxNewTokens = 9, StopTokens = [2, 3] };
        using var together = Sampler.Generate(model, prompts, options, 6, 0);
        for (var row = 0; row < prompts.Length; row++)
        {
            using var alone = Sampler.Generate(model, [prompts[row]], options with { FirstRow = row }, 6, 0);
            Assert.Equal(alone.Completions[0], together.Completions[row]);
        }
    }
}
