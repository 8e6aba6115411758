namespace TorchSharp;

public static partial class torch
{
    public static partial class nn
    {
        /// <summary>A module with 3 arguments: subclasses write <see cref="forward"/>, users call <see cref="call"/>.</summary>
        public abstract class Module<T1, T2, T3, TResult> : HookableModule<Func<Module<T1, T2, T3, TResult>, T1, T2, T3, (T1, T2, T3)?>, Func<Module<T1, T2, T3, TResult>, T1, T2, T3, TResult, TResult>>, IModule<T1, T2, T3, TResult>
        {
            protected Module(string name) : base(name) { }

            public abstract TResult forward(T1 input1, T2 input2, T3 input3);

            /// <summary>Runs <see cref="forward"/> with the hooks around it.</summary>
            public TResult call(T1 input1, T2 input2, T3 input3)
            {
                if (!Hooked) return forward(input1, input2, input3);
                BeforeCall();
                foreach (var hook in pre_hooks.Values.ToArray())
                    if (hook(this, input1, input2, input3) is { } changed) (input1, input2, input3) = changed;
                var result = forward(input1, input2, input3);
                foreach (var hook in post_hooks.Values.ToArray())
                    if (hook(this, input1, input2, input3, result) is { } changed) result = changed;
                AfterCall();
                return result;
            }
        }
    }
}
