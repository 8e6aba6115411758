using PostTrain.Merging;

namespace PostTrain.Tests.Merging;

public sealed class LayerSettingTests
{
    [Fact]
    public void ModelBeforeSliceBeforeMerge_AndFurtherWhereNoFilterFits()
    {
        var model = new MergeParameters { Weight = LayerSetting.ByName(("attn", 0.1)), Normalize = false };
        var slice = new MergeParameters { Weight = LayerSetting.ByName(("mlp", LayerSetting.Gradient([0, 1]))), Density = 0.5 };
        var merge = new MergeParameters
        {
            Weight = 0.9,
            Density = 0.2,
            Lambda = 2,
            Normalize = true,
            Rescale = true,
        };
        var all = model.Over(slice.Over(merge));
        Assert.Equal(0.1, all.Weight!.At("layers.0.attn.q", 0.25));
        Assert.Equal(0.25, all.Weight!.At("layers.0.mlp.up", 0.25));
        Assert.Equal(0.9, all.Weight!.At("norm", 0.25));
        Assert.Equal(0.5, all.Density!.At("norm", 0));
        Assert.Equal(2, all.Lambda!.At("norm", 0));
        Assert.False(all.Normalize);
        Assert.True(all.Rescale);
        Assert.Null(model.Weight!.At("norm", 0));
    }

    [Fact]
    public void WrongSettings_AreRefused()
    {
        Assert.Throws<ArgumentException>(() => LayerSetting.Gradient([]));
        Assert.Throws<ArgumentOutOfRangeException>(() => LayerSetting.Gradient([1, double.NaN]));
        Assert.Throws<ArgumentException>(() => LayerSetting.ByName());
        Assert.Throws<ArgumentOutOfRangeException>(() => LayerSetting.FromDouble(1).At("a", 1.5));
    }
}
