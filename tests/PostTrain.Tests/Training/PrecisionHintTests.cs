using PostTrain.Models;
using PostTrain.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Training;

/// <summary>For which models the hint to bfloat16 is.</summary>
public sealed class PrecisionHintTests
{
    [Theory]
    [InlineData(64, ScalarType.Float32, false)]
    [InlineData(640, ScalarType.Float32, true)]
    [InlineData(640, ScalarType.BFloat16, false)]
    public void Hint_IsForLargeModelsInFloat32(int width, ScalarType type, bool expected)
    {
        var config = new DecoderConfig
        {
            VocabularySize = 8000,
            ContextLength = 16,
            HiddenSize = width,
            Layers = 1,
            Heads = 4,
        };
        using var model = Decoder.Create(config, 1, type);
        Assert.Equal(expected, PrecisionHint.IsFor([.. model.named_parameters().Select(item => (item.name, item.parameter))], model));
        Assert.Contains(nameof(TrainingOptions.ShowHints), PrecisionHint.Text, StringComparison.Ordinal);
    }
}
