using PostTrain.Numerics;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Models.Heads;

/// <summary>The parts of a model used by heads.</summary>
internal static class BodyParts
{
    /// <summary>Registers the modules and parameters of a body under their names in checkpoints; a decoder without its output projection,
    /// which the head replaces.</summary>
    public static void Register(CausalLm body, Action<string, nn.Module> module, Action<string, Parameter> parameter)
    {
        var head = body is Decoder decoder ? ModuleNames.Of(decoder.Config.Naming).Head : null;
        foreach (var (name, child) in body.named_children())
        {
            if (name != head)
                module(name, child);
        }

        foreach (var (name, own) in body.named_parameters(recurse: false))
            parameter(name, own);
    }

    public static ScalarType TypeOf(CausalLm body) =>
        body.parameters().FirstOrDefault(parameter => parameter.is_floating_point())?.dtype ?? ScalarType.Float32;

    public static Device DeviceOf(CausalLm body) => body.parameters().FirstOrDefault()?.device ?? CPU;

    /// <summary>Creates a new head, [outputs,D].</summary>
    public static Linear Head(CausalLm body, int outputs, bool bias, ScalarType type, HeadOptions options)
    {
        using var scope = NewDisposeScope();
        using var mode = no_grad();
        var values = new float[checked(outputs * body.HiddenSize)];
        if (options.StandardDeviation > 0)
            CounterRandom.FillNormal(values, options.Seed, 0, options.StandardDeviation);
        var device = DeviceOf(body);
        var weight = new Parameter(NativeTensor.Of(values, [outputs, body.HiddenSize], type, device));
        var offset = bias ? new Parameter(zeros(outputs, dtype: type, device: device)) : null;
        weight.DetachFromDisposeScope();
        offset?.DetachFromDisposeScope();
        return nn.Linear(weight, offset);
    }
}
