using PostTrain.Operators;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>The memory of a parameter, with what has to stay true of the parameter while it is read.</summary>
internal readonly unsafe struct StepParameter<T>
    where T : unmanaged
{
    private readonly Parameter? parameter;
    private readonly nint handle;

    private StepParameter(Parameter parameter)
    {
        (this.parameter, handle) = (parameter, parameter.Handle);
        Address = TensorMemory.Address<T>(parameter);
    }

    /// <summary>The first number; null where there is no parameter.</summary>
    public T* Address { get; }

    /// <summary>The memory of a parameter, or nothing for null.</summary>
    /// <param name="parameter">The parameter.</param>
    /// <param name="fits">Set to false where it is not of type <typeparamref name="T"/>, in CPU memory, in row-major order.</param>
    public static StepParameter<T> Of(Parameter? parameter, ref bool fits)
    {
        if (parameter is null)
            return default;
        if (Fused.Takes(parameter) && parameter.dtype == TensorMemory.TypeOf<T>() && parameter.is_contiguous() && parameter.numel() > 0)
            return new StepParameter<T>(parameter);
        fits = false;
        return default;
    }

    /// <summary>True if this is still the memory of <paramref name="now"/>.</summary>
    public bool IsOf(Parameter? now) => ReferenceEquals(parameter, now) && (now is null || (!now.IsInvalid && now.Handle == handle));
}
